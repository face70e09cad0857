"""observe (one round trip a node) -> plan (pure) -> apply (thin).

Roles are applied in stages; within a stage all nodes go on in parallel, and each component of a stage
must answer (its gate) before the next stage begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lab.model import MARK
from lab.shell import CommandFailed, Shell, in_parallel
from provisioning.resources import Resource

APPLY_TIMEOUT = 300.0
INSTALL_TIMEOUT = 1800.0  # packages come from outside
FEW = 5
KEEP = f"/var/lib/{MARK}/keep"  # lab/providers/own/keep.sh
SCRIPT_LIMIT = 60_000  # Linux takes 128 KiB in one argument, quoting included


@dataclass(frozen=True)
class Change:
    """One difference found on a node and the script that mends it."""

    node: str
    key: str
    script: str


def observation(resources: Sequence[Resource]) -> str:
    """One script that prints what is there, each resource's part behind a line `@@ index`."""
    parts = [f"echo '@@ {index}'\n{resource.observe}" for index, resource in enumerate(resources)]
    return "\n".join(parts)


def parse_observation(resources: Sequence[Resource], output: str) -> dict[str, str]:
    """Key of each resource -> its part of the output, stripped."""
    parts: dict[int, list[str]] = {}
    index = -1
    for line in output.splitlines():
        if line.startswith("@@ "):
            index = int(line[3:])
            parts[index] = []
        elif index >= 0:
            parts[index].append(line)
    return {resource.key: "\n".join(parts.get(i, [])).strip() for i, resource in enumerate(resources)}


def plan(node: str, resources: Sequence[Resource], observed: Mapping[str, str]) -> list[Change]:
    """The changes a node needs, in order. Pure."""
    changes: list[Change] = []
    changed: frozenset[str] = frozenset()
    for resource in resources:
        script = resource.converge(observed.get(resource.key, ""), changed)
        if script is not None:
            changes.append(Change(node, resource.key, script))
            changed |= {resource.key}
    return changes


def observe(shell: Shell, resources: Sequence[Resource]) -> dict[str, str]:
    return parse_observation(resources, shell.run(observation(resources)).stdout)


def plan_all(shells: Mapping[str, Shell], wanted: Mapping[str, Sequence[Resource]]) -> list[Change]:
    """Every change of every node, observed in parallel."""
    plans = in_parallel(lambda node: plan(node, wanted[node], observe(shells[node], wanted[node])), wanted)
    return [change for node in wanted for change in plans[node]]


def batches(changes: Sequence[Change]) -> list[list[Change]]:
    """The changes in order, cut so that each batch fits on one command line."""
    cut: list[list[Change]] = []
    size = SCRIPT_LIMIT
    for change in changes:
        length = len(change.key) + len(change.script)
        if size + length > SCRIPT_LIMIT:
            cut.append([])
            size = 0
        cut[-1].append(change)
        size += length
    return cut


def apply(shell: Shell, changes: Sequence[Change]) -> None:
    """Run a node's changes in order, few round trips. Raises CommandFailed naming the one that failed."""
    for batch in batches(changes):
        _apply(shell, batch)


def _apply(shell: Shell, changes: Sequence[Change]) -> None:
    installs = any(change.key.startswith("package:") for change in changes)
    timeout = INSTALL_TIMEOUT if installs else APPLY_TIMEOUT
    result = shell.run(script(changes), timeout=timeout, check=False)
    if result.exit != 0:
        seen = [line for line in result.stdout.splitlines() if line.startswith("@@ ")]
        what = seen[-1][3:] if seen else "nothing was begun"
        raise CommandFailed(type(result)(result.node, what, result.exit, result.stdout, result.stderr))


def script(changes: Sequence[Change]) -> str:
    """The script that makes these changes, each behind a line `@@ key`; it ends at the first that fails."""
    # A machine that will be given back notes how each thing was before.
    noted = f"[ ! -x {KEEP} ] || {KEEP}"
    steps = (f"echo '@@ {one.key}'\n{noted} '{one.key}'\n({one.script})" for one in changes)
    return "\n".join(["set -e", *steps])


def in_short(changes: Sequence[Change]) -> str:
    """A line for a person: the few changes by name, many by their number."""
    if len(changes) <= FEW:
        return ", ".join(change.key for change in changes)
    return f"{len(changes)} changes, from {changes[0].key} to {changes[-1].key}"


def converge(
    shells: Mapping[str, Shell], wanted: Mapping[str, Sequence[Resource]], say: Callable[[str], None]
) -> list[Change]:
    """Bring every node to its wanted resources; returns the changes that were made."""
    changes = plan_all(shells, wanted)
    by_node = {node: [change for change in changes if change.node == node] for node in wanted}
    todo = [node for node in wanted if by_node[node]]
    for node in todo:
        say(f"{node}: {in_short(by_node[node])}")
    in_parallel(lambda node: apply(shells[node], by_node[node]), todo)
    return changes
