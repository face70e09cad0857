"""The Docker engine of every node; on swarm nodes it also listens on the lab address for Swarm."""

from __future__ import annotations

import json

from lab.config import Lab, Node
from provisioning.built import Built
from provisioning.resources import File, Package, Resource, Unit
from provisioning.roles import Health, is_master, unit_logs

# The distribution's unit hands over a socket and raises limits; both clash with the settings here.
DROP_IN = """[Unit]
Requires=containerd.service
StartLimitIntervalSec=0

[Service]
ExecStart=
ExecStart=/usr/bin/dockerd --containerd=/run/containerd/containerd.sock
LimitNOFILE=
LimitNPROC=
LimitCORE=
OOMScoreAdjust=0
Restart=always
RestartSec=1
"""


def daemon_settings(lab: Lab, node: Node) -> dict[str, object]:
    hosts = ["unix:///var/run/docker.sock"]
    if not is_master(node):
        hosts.append(f"tcp://{node.address}:2375")
    return {
        "hosts": hosts,
        "ip": node.address,  # published ports stay inside the lab network
        "insecure-registries": [lab.registry],
        "log-opts": {"max-size": "10m", "max-file": "2"},
    }


def resources(lab: Lab, node: Node, built: Built) -> list[Resource]:
    settings = File("/etc/docker/daemon.json", json.dumps(daemon_settings(lab, node), indent=2) + "\n")
    drop_in = File("/etc/systemd/system/docker.service.d/lab.conf", DROP_IN)
    return [
        Package(("docker.io", "curl", "jq", "rsync", "iptables")),
        settings,
        drop_in,
        Unit("docker.service", restart_on=(settings.key, drop_in.key)),
    ]


def health(lab: Lab, node: Node) -> list[Health]:
    check = "timeout 5 docker version -f '{{.Server.Version}}' 2>&1"
    if not is_master(node):
        check += f" && curl -fsS -m 4 -o /dev/null http://{node.address}:2375/_ping"
    return [Health("docker", node.name, check, unit_logs("docker"))]
