"""What every machine has before any component: its lab, how scripts wait, its SSH server, its gate."""

from __future__ import annotations

from lab.model import OWN_HOSTS, Lab, Node
from provisioning.build import Built, playbooks
from provisioning.build.images import FOLDERS
from provisioning.resources import File, Folder, Hosts, Package, Reload, Resource, Unit
from provisioning.roles import Health
from provisioning.templates import render

PROGRAMS = (
    *("ca-certificates", "curl", "iproute2", "iptables", "iputils-ping", "jq", "procps", "rsync"),
    "python3",  # faults hold memory with it, and ask resolvers
)


def resources(lab: Lab, node: Node, built: Built) -> list[Resource]:
    # Container nodes have it from their image, so that it holds from their first connection on.
    sshd = File("/etc/ssh/sshd_config.d/lab.conf", _sshd(lab))
    return [
        File("/etc/lab/name", f"{lab.name}\n"),  # faults refuse a machine that does not carry it
        File("/etc/lab/waiting.sh", render("waiting.sh", lab)),
        sshd,
        Reload("ssh.service", on=(sshd.key,)),
        Package(PROGRAMS),
        *([] if lab.mounts_host else _alone(lab)),
        # A machine of one's own may have one network alone, and this host may reach it over any.
        *([] if lab.provider == OWN_HOSTS else _gate(lab)),
    ]


def _alone(lab: Lab) -> list[Resource]:
    """What a container node has from this host's engine: its playbooks, and the names of the others."""
    names = Hosts(tuple((node.address, node.name) for node in lab.nodes))
    return [Folder("/vagrant/ansible", *playbooks()), names]


def _gate(lab: Lab) -> list[Resource]:
    """What is between a machine's two networks."""
    gate = File("/usr/local/sbin/lab-gate", render("lab-gate", lab), mode="755")
    unit = File("/etc/systemd/system/lab-gate.service", render("lab-gate.service", lab))
    return [gate, unit, Unit("lab-gate.service", restart_on=(gate.key, unit.key))]


def _sshd(lab: Lab) -> str:
    """One's own machine keeps what it says of passwords: somebody may come in by one."""
    lines = (FOLDERS / "node/sshd.conf").read_text().splitlines(keepends=True)
    return "".join(
        line for line in lines if lab.provider != OWN_HOSTS or not line.startswith("PasswordAuthentication")
    )


def health(lab: Lab, node: Node) -> list[Health]:
    return []
