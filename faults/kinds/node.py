"""Faults of whole nodes, from the host: no timer on a dead node could end them, so the journal does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faults.example import BEFORE, Example, silent
from faults.fault import Action, Fault, Site, lines, script, waiting
from faults.host import machine, only_ours
from faults.kinds import back


class NodeFault(Fault):
    """Undone by power; then what ran on the node is brought back, unless it has been replaced."""

    takes: ClassVar[str] = "nodes"
    docker: ClassVar[str]  # words for a container node's engine
    vagrant: ClassVar[str]  # words for Vagrant, with virtual machines

    def actions(self, site: Site) -> list[Action]:
        return [
            Action(None, self.inject(site), self.heal(site), self.healed(site)),
            Action(site.node.name, "", back.bring_back(site), back.are_back(site), timed=False),
            *back.repointing(site),
        ]

    def inject(self, site: Site) -> str:
        if site.lab.provider != "docker":
            return f"vagrant {self.vagrant} {site.node.name}"
        return lines(
            only_ours(site.lab, site.node), f"docker {self.docker} {machine(site.lab, site.node)} >/dev/null"
        )

    def heal(self, site: Site) -> str:
        if site.lab.provider != "docker":
            return f"vagrant up {site.node.name}"
        # `docker start` does nothing to a node that runs.
        return lines(
            only_ours(site.lab, site.node), f"docker start {machine(site.lab, site.node)} >/dev/null"
        )

    def healed(self, site: Site) -> str:
        if site.lab.provider != "docker":
            return f"vagrant status {site.node.name} --machine-readable | grep -q ',state,running'"
        state = f"docker inspect -f '{{{{.State.Status}}}}' {machine(site.lab, site.node)}"
        return lines(only_ours(site.lab, site.node), f'now=$({state}); echo "$now"; [ "$now" = running ]')


@dataclass(frozen=True)
class PowerCut(NodeFault):
    """Everything on the node ends at once, unwritten data included."""

    name: ClassVar[str] = "power-cut"
    phrase: ClassVar[str] = "(?:loses|lose) power"
    example: ClassVar[Example | None] = Example(
        "the node of the live color", "! ping -c 1 -W 1 {node}", at="master"
    )
    docker: ClassVar[str] = "kill"
    vagrant: ClassVar[str] = "halt -f"


class OrderlyFault(NodeFault):
    """A node that its engine takes down in its own time."""

    def heal(self, site: Site) -> str:
        if site.lab.provider != "docker":
            return super().heal(site)
        up = script("stays_up.sh", machine=machine(site.lab, site.node))
        return lines(only_ours(site.lab, site.node), waiting(site), up)


@dataclass(frozen=True)
class Halt(OrderlyFault):
    """An orderly stop of the node."""

    name: ClassVar[str] = "halt"
    phrase: ClassVar[str] = "(?:is|are) halted"
    example: ClassVar[Example | None] = Example(
        "the node of the live color", "! ping -c 1 -W 1 {node}", at="master"
    )
    docker: ClassVar[str] = "stop -t 20"
    vagrant: ClassVar[str] = "halt"


@dataclass(frozen=True)
class Reboot(OrderlyFault):
    """An orderly stop and a start."""

    name: ClassVar[str] = "reboot"
    phrase: ClassVar[str] = "(?:is|are) rebooted"
    example: ClassVar[Example | None] = Example(
        "the node of the live color", f"test $(stat -c %Y /proc/1) -gt $(cat {BEFORE})", lasts=False
    )
    docker: ClassVar[str] = "restart -t 20"
    vagrant: ClassVar[str] = "reload"


@dataclass(frozen=True)
class Freeze(NodeFault):
    """Every process of the node stands still, its SSH server too. Container nodes only."""

    name: ClassVar[str] = "freeze"
    phrase: ClassVar[str] = "(?:freezes|freeze)"
    example: ClassVar[Example | None] = Example("the node of the live color", silent("{node}"), at="master")
    docker: ClassVar[str] = "pause"
    vagrant: ClassVar[str] = ""

    def refusal(self, site: Site) -> str | None:
        if site.lab.provider != "docker":
            return f"only a container node can be frozen; these are of {site.lab.provider}"
        return None

    def heal(self, site: Site) -> str:
        name = machine(site.lab, site.node)
        paused = f"[ \"$(docker inspect -f '{{{{.State.Paused}}}}' {name})\" = true ]"
        return lines(
            only_ours(site.lab, site.node),
            f"if {paused}; then docker unpause {name} >/dev/null; fi",
            super().heal(site),
        )
