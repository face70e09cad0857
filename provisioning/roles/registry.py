"""The lab's registry on the master, filled from the store that was made on the host."""

from __future__ import annotations

from lab.model import Lab, Node
from provisioning.build import Built
from provisioning.resources import File, Folder, Masked, Package, Resource, Unit
from provisioning.roles import Health, Logs, is_master, responds

DATA = "/var/lib/lab-registry"


def tags(repository: str) -> str:
    """The folder on the master that has a folder for each tag of a repository."""
    return f"{DATA}/docker/registry/v2/repositories/{repository}/_manifests/tags"


SETTINGS = """version: 0.1
log:
  level: warn
storage:
  filesystem:
    rootdirectory: {data}
  delete:
    enabled: true
http:
  addr: {address}
"""

UNIT = """[Unit]
Description=The lab's image registry
After=network.target
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/bin/docker-registry serve /etc/lab/registry.yml
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""


def resources(lab: Lab, node: Node, built: Built) -> list[Resource]:
    if not is_master(node):
        return []
    digest, source = built.store
    settings = File("/etc/lab/registry.yml", SETTINGS.format(data=DATA, address=lab.registry))
    unit = File("/etc/systemd/system/lab-registry.service", UNIT)
    store = Folder(DATA, digest, source)
    return [
        Masked("docker-registry.service"),  # before the package would start it, on every address
        Package(("docker-registry",)),
        settings,
        store,
        unit,
        Unit("lab-registry.service", restart_on=(settings.key, unit.key, store.key)),
    ]


def health(lab: Lab, node: Node) -> list[Health]:
    if not is_master(node):
        return []
    return [
        Health("registry", node.name, responds(f"http://{lab.registry}/v2/"), Logs(units=("lab-registry",)))
    ]
