"""Faults of whole nodes, from the host: no timer on a dead node could end them, so the journal does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faults import power
from faults.example import BEFORE, Example, silent
from faults.fault import Action, Fault, Site
from faults.kinds import back


class NodeFault(Fault):
    """Undone by power; then what ran on the node is brought back, unless it has been replaced."""

    takes: ClassVar[str] = "nodes"
    act: ClassVar[str]  # what is done to the machine: faults/power.py

    def refusal(self, site: Site) -> str | None:
        return power.of(site).refusal(self.act, site)

    def actions(self, site: Site) -> list[Action]:
        return [
            Action(None, self.inject(site), self.heal(site), self.healed(site)),
            Action(site.node.name, "", back.bring_back(site), back.are_back(site), timed=False),
            *back.repointing(site),
        ]

    def inject(self, site: Site) -> str:
        return power.of(site).take(self.act, site)

    def heal(self, site: Site) -> str:
        return power.of(site).give(self.act, site)

    def healed(self, site: Site) -> str:
        return power.of(site).is_on(site)


@dataclass(frozen=True)
class PowerCut(NodeFault):
    """Everything on the node ends at once, unwritten data included."""

    name: ClassVar[str] = "power-cut"
    phrase: ClassVar[str] = "(?:loses|lose) power"
    example: ClassVar[Example | None] = Example(
        "the node of the live color", "! ping -c 1 -W 1 {node}", at="master"
    )
    act: ClassVar[str] = power.CUT


@dataclass(frozen=True)
class Halt(NodeFault):
    """An orderly stop of the node."""

    name: ClassVar[str] = "halt"
    phrase: ClassVar[str] = "(?:is|are) halted"
    example: ClassVar[Example | None] = Example(
        "the node of the live color", "! ping -c 1 -W 1 {node}", at="master"
    )
    act: ClassVar[str] = power.HALT


@dataclass(frozen=True)
class Reboot(NodeFault):
    """An orderly stop and a start."""

    name: ClassVar[str] = "reboot"
    phrase: ClassVar[str] = "(?:is|are) rebooted"
    example: ClassVar[Example | None] = Example(
        "the node of the live color", f"test $(stat -c %Y /proc/1) -gt $(cat {BEFORE})", lasts=False
    )
    act: ClassVar[str] = power.REBOOT


@dataclass(frozen=True)
class Freeze(NodeFault):
    """Every process of the node stands still, its SSH server too."""

    name: ClassVar[str] = "freeze"
    phrase: ClassVar[str] = "(?:freezes|freeze)"
    example: ClassVar[Example | None] = Example("the node of the live color", silent("{node}"), at="master")
    act: ClassVar[str] = power.FREEZE
