"""What every machine has before any component: its lab, how scripts wait, its SSH server, its gate."""

from __future__ import annotations

from lab.model import Lab, Node
from provisioning.build import Built
from provisioning.build.images import FOLDERS
from provisioning.resources import File, Package, Reload, Resource, Unit
from provisioning.roles import Health
from provisioning.templates import render


def resources(lab: Lab, node: Node, built: Built) -> list[Resource]:
    # Container nodes have it from their image, so that it holds from their first connection on.
    sshd = File("/etc/ssh/sshd_config.d/lab.conf", (FOLDERS / "node/sshd.conf").read_text())
    gate = File("/usr/local/sbin/lab-gate", render("lab-gate", lab), mode="755")
    unit = File("/etc/systemd/system/lab-gate.service", render("lab-gate.service", lab))
    return [
        File("/etc/lab/name", f"{lab.name}\n"),  # faults refuse a machine that does not carry it
        File("/etc/lab/waiting.sh", render("waiting.sh", lab)),
        sshd,
        Reload("ssh.service", on=(sshd.key,)),
        Package(("iptables", "iproute2")),
        gate,
        unit,
        Unit("lab-gate.service", restart_on=(gate.key, unit.key)),
    ]


def health(lab: Lab, node: Node) -> list[Health]:
    return []
