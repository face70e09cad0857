"""Is all well? The checks that the roles declare, asked once or waited for.

`unwell` is the one answer: `lab up`, `lab status`, the baseline and the steady state all take it from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lab import machines, named
from lab.errors import CheckFailed
from lab.model import Lab
from lab.shell import Shell, in_parallel
from lab.waiting import wait_until
from provisioning.roles import Health
from provisioning.stages import healths

TIMEOUT = 90.0
SSH = "ssh"  # the component of a node that does not answer at all


@dataclass(frozen=True)
class Seen:
    """A component on a node, and what is wrong with it; None when it answers."""

    component: str
    node: str
    wrong: str | None

    def __str__(self) -> str:
        return f"{self.component} on {self.node}: {self.wrong or 'ok'}"


def look(lab: Lab, shells: Mapping[str, Shell]) -> list[Seen]:
    """Every component on every node; one round trip a node. Raises LabError when a node does not answer."""
    nodes = [node.name for node in lab.nodes]
    said = in_parallel(lambda node: shells[node].run(observation(lab, node), timeout=60).stdout, nodes)
    return [seen for node in nodes for seen in parse_observation(lab, node, said[node])]


def observation(lab: Lab, node: str) -> str:
    """The script that asks each component of a node."""
    return "\n".join(
        f"seen=$({health.check}) && echo '+' || printf -- '-%s' \"$seen\" | tr '\\n' ' '; echo"
        for health in healths(lab)
        if health.node == node
    )


def parse_observation(lab: Lab, node: str, output: str) -> list[Seen]:
    """What that script printed. Raises ValueError when it has not a line for each component."""
    there = [health for health in healths(lab) if health.node == node]
    lines = [line for line in output.split("\n") if line]  # not splitlines(): a check may print \r
    return [
        Seen(health.component, node, None if line == "+" else line[1:].strip() or "no answer")
        for health, line in zip(there, lines, strict=True)
    ]


def unwell(lab: Lab, shells: Mapping[str, Shell]) -> list[Seen]:
    """What does not answer: the nodes, and only when all of them do, the components on them."""
    silent = machines.names(lab) - machines.answering(lab)
    if silent:
        return [Seen(SSH, node, "no answer over SSH") for node in sorted(silent)]
    return [seen for seen in look(lab, shells) if seen.wrong is not None]


def wait(shells: Mapping[str, Shell], wanted: Sequence[Health]) -> None:
    """Wait for every component at once. Raises TimedOut with the component's last log lines."""
    if wanted:
        with ThreadPoolExecutor(max_workers=len(wanted)) as pool:
            list(pool.map(lambda health: _wait_for(shells[health.node], health), wanted))


def _wait_for(shell: Shell, health: Health) -> None:
    def answers() -> bool:
        result = shell.run(health.check, check=False, timeout=10)
        if result.exit != 0:
            raise CheckFailed(f"exit {result.exit}: {(result.stdout + result.stderr).strip() or 'no output'}")
        return True

    wait_until(
        answers,
        TIMEOUT,
        f"{health.component} to answer",
        node=health.node,
        evidence=lambda: shell.run(health.logs.last(), check=False, timeout=10).stdout,
        try_next=named.command(f"logs {health.component}"),
    )
