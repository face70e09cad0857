"""The Docker engine of every node; on swarm nodes it also listens on the lab address for Swarm."""

from __future__ import annotations

import json

from lab.model import Lab, Node
from provisioning.build import Built
from provisioning.resources import Command, File, Masked, Member, Package, Resource, Unit
from provisioning.roles import Health, Logs, is_master, responds, socket

# In place of the distribution's unit, which wants a socket unit and raises limits: both clash with the lab.
UNIT = """[Unit]
Description=Docker engine
After=network.target containerd.service
Requires=containerd.service
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=dockerd --containerd=/run/containerd/containerd.sock
Delegate=yes
KillMode=process
# How long a start may take is for its health check to say.
TimeoutStartSec=infinity
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""


def daemon_settings(lab: Lab, node: Node) -> dict[str, object]:
    hosts = ["unix:///var/run/docker.sock"]
    if not is_master(node):
        hosts.append(f"tcp://{node.address}:2375")
    return {
        "hosts": hosts,
        "storage-driver": "overlay2",  # where it does not fit, an error: never vfs in silence
        "ip": node.address,  # published ports stay inside the lab network
        "tls": False,  # said outright, or the engine waits 15 s to warn of it
        "insecure-registries": [lab.registry],
        "log-opts": {"max-size": "10m", "max-file": "2"},
    }


def resources(lab: Lab, node: Node, built: Built) -> list[Resource]:
    settings = File("/etc/docker/daemon.json", json.dumps(daemon_settings(lab, node), indent=2) + "\n")
    unit = File("/etc/systemd/system/docker.service", UNIT)
    return [
        Package(("docker.io", "curl", "jq", "rsync", "iptables")),
        Command("docker", "docker-cli"),
        Masked("docker.socket"),
        Member("vagrant", "docker"),
        settings,
        unit,
        Unit("docker.service", restart_on=(settings.key, unit.key)),
    ]


def health(lab: Lab, node: Node) -> list[Health]:
    # Not /version, for which the engine starts two programs: it is asked often.
    asked = [socket("/containers/json?limit=1")]
    if not is_master(node):
        asked.append(f"http://{node.address}:2375/_ping")
    return [Health("docker", node.name, responds(*asked), Logs(units=("docker",)))]
