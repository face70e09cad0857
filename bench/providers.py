"""What nodes cost by where they come from: the same figures for whatever provider the lab file names."""

from __future__ import annotations

from collections.abc import Callable

from bench.figure import Figure, seconds
from lab import machines
from lab.model import Lab
from lab.shell import in_parallel

# Kibibytes of all processes of a node, what they share counted once.
PROCESSES = "cat /proc/[0-9]*/smaps_rollup 2>/dev/null | awk '/^Pss:/ { sum += $2 } END { print sum }'"


def measure(lab: Lab, command: Callable[..., None]) -> list[Figure]:
    """The lab is taken down and brought up again; `command` runs one `lab` command."""
    round_trip = seconds(lambda: _ask(lab, "true"))
    no_op = seconds(lambda: command("up"))
    memory = sum(map(int, _ask(lab, PROCESSES).values())) / 2**20
    down = seconds(lambda: command("down"))
    up = seconds(lambda: command("up"))
    return [
        _figure(lab, "lab up on a healthy lab", f"{no_op:.1f} s", f"{round_trip:.2f} s, one SSH round trip"),
        _figure(lab, "lab up, caches warm", f"{up:.0f} s", f"{no_op:.1f} s, with nothing to do"),
        _figure(lab, "lab down", f"{down:.0f} s", f"{up:.0f} s, lab up"),
        _figure(lab, "processes of all nodes, at rest", f"{memory:.2f} GiB", "-"),
    ]


def _figure(lab: Lab, what: str, value: str, reference: str) -> Figure:
    return Figure(f"{lab.provider}: {what}", value, "-", reference)


def _ask(lab: Lab, script: str) -> dict[str, str]:
    """Node -> what a script prints there, over connections that are made anew."""
    shells = machines.shells(lab)
    try:
        return in_parallel(lambda node: shells[node].run(script).stdout.strip(), shells)
    finally:
        for shell in shells.values():
            shell.close()
