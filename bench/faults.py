"""How long a fault takes to come and to go, beside the plain command on the same node in the same run."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from bench.figure import Figure, seconds
from faults import Fault, Harness, made
from lab import machines
from lab.errors import CheckFailed
from lab.model import Lab

ROUNDS = 5
TARGET = "1 s more than the plain command"


@dataclass(frozen=True)
class Case:
    what: str
    fault: Fault
    target: str
    plain: str  # with {id} of the container
    plain_undo: str


CASES = (
    Case(
        "kill a container",
        made("kill"),
        "the live color",
        "docker kill {id}",
        "docker start {id}",
    ),
    Case(
        "isolate a node",
        made("isolate"),
        "any node",
        "iptables -w 5 -t mangle -A PREROUTING -i eth1 -p tcp --dport 9 -j DROP",
        "iptables -w 5 -t mangle -D PREROUTING -i eth1 -p tcp --dport 9 -j DROP",
    ),
)


def measure(lab: Lab) -> list[Figure]:
    """Medians of each case. The lab is up and is left as it was."""
    shells = machines.shells(lab)
    harness = Harness(lab, shells)
    try:
        return [row for case in CASES for row in _rows(case, harness, lab)]
    finally:
        for shell in shells.values():
            shell.close()


def _rows(case: Case, harness: Harness, lab: Lab) -> list[Figure]:
    found = harness.plan(case.fault, case.target).found
    shell = machines.shells(lab)[found.nodes[0]]
    id = found.container.id if found.container else ""
    plain, plain_undo, inject, heal = [], [], [], []
    for _ in range(ROUNDS):
        plain.append(seconds(lambda: shell.run(case.plain.format(id=id))))
        plain_undo.append(seconds(lambda: shell.run(case.plain_undo.format(id=id))))
        inject.append(seconds(lambda: harness.inject(case.fault, case.target)))
        heal.append(seconds(lambda: _heal(harness)))
    shell.close()
    return [
        _row(f"inject: {case.what}", inject, plain, case.plain.split()[0]),
        _row(f"heal: {case.what}", heal, plain_undo, case.plain_undo.split()[0]),
    ]


def _heal(harness: Harness) -> None:
    left = [one for one in harness.heal_all() if one.is_open]
    if left:
        raise CheckFailed(
            f"{left[0].name} is {left[0].phase}: {left[0].detail}", try_next="lab fault heal --all"
        )


def _row(what: str, ours: list[float], plain: list[float], word: str) -> Figure:
    return Figure(
        what,
        f"{statistics.median(ours):.2f} s",
        TARGET,
        f"{statistics.median(plain):.2f} s, plain {word}",
    )
