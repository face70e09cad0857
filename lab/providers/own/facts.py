"""What is known of a machine before the lab takes it, and what keeps the lab from taking it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab.errors import LabError
from lab.model import Lab, Node

SYSTEMS = ("debian 12", "debian 13")
MASTERS = ("debian 12",)  # docker-compose 1.29, which speaks to a standalone Swarm
LEAST_DISK, LEAST_MEMORY = 4000, 700  # MB


@dataclass(frozen=True)
class Facts:
    """What look.sh prints. `disk` and `memory` are MB that are free, and that there are."""

    system: str
    init: str
    architecture: str
    has_address: bool
    disk: int
    memory: int
    claim: str  # the name of the lab that has it
    claimed_by: str  # the key of the checkout that took it
    containers: int
    has_vagrant: bool
    host_key: str  # type and key, as in known_hosts
    taken: tuple[str, ...]  # "80 by nginx"


def parse(text: str) -> Facts:
    """Raises LabError when it is not what look.sh prints."""
    pairs = [line.partition("=")[::2] for line in text.splitlines() if "=" in line]
    one = dict(pairs)
    try:
        return Facts(
            system=one["system"].strip(),
            init=one["init"],
            architecture=one["architecture"],
            has_address=one["has_address"] != "0",
            disk=int(one["disk"]),
            memory=int(one["memory"]),
            claim=one["claim"],
            claimed_by=one["claimed_by"],
            containers=int(one["containers"]),
            has_vagrant=bool(one["vagrant"]),
            host_key=one["host_key"],
            taken=tuple(value for key, value in pairs if key == "taken"),
        )
    except (KeyError, ValueError) as error:
        raise LabError("a machine answers other than expected", last_seen=text[-500:]) from error


def refusals(lab: Lab, node: Node, seen: Facts, own_key: str, architecture: str) -> list[str]:
    """Everything that keeps this machine from being the node, a line each with what to do."""
    return [f"{node.name}: {words}" for words in _refusals(lab, node, seen, own_key, architecture)]


def _refusals(lab: Lab, node: Node, seen: Facts, own_key: str, architecture: str) -> Iterator[str]:
    if seen.claimed_by and (seen.claimed_by, seen.claim or lab.name) != (own_key, lab.name):
        yield f"it belongs to the lab {seen.claim}: there, or from where that was made, lab down"
        return
    systems = MASTERS if node == lab.master else SYSTEMS
    if seen.system not in systems:
        yield f"its system is {seen.system}: it must be {' or '.join(systems)}"
    if seen.init != "systemd":
        yield f"its init is {seen.init}: it must be systemd"
    if seen.architecture != architecture:
        yield f"it is {seen.architecture}, and the lab's programs here are built for {architecture}"
    if not seen.has_address:
        yield f"none of its interfaces has the address {node.address}: give it one, or name its own"
    if not seen.host_key:
        yield "its SSH server has no key of the kind ed25519: ssh-keygen -A, there"
    if seen.claimed_by:
        return  # what follows is the lab's own from the last time
    if seen.disk < LEAST_DISK:
        yield f"{seen.disk} MB are free below /var/lib: {LEAST_DISK} are needed"
    if seen.memory < LEAST_MEMORY:
        yield f"it has {seen.memory} MB of memory: {LEAST_MEMORY} are needed"
    if seen.has_vagrant:
        yield "it has a user vagrant already, whose password and rights the lab would change: another machine"
    for words in seen.taken:
        yield f"port {words}: stop it, or take another machine"
    if seen.containers and not (node.ssh and node.ssh.shared):
        yield f"its engine has {seen.containers} containers: the lab joins them with ssh: {{shared: true}}"
