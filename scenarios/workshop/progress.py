"""How far a learner is. The lab keeps it, in Consul: a halt does not forget it, `lab reset` does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lab import named
from lab.errors import LabError, shown
from scenarios.workshop.reading import Step

DONE = "workshop/done"  # the number of the last step that is done
GREETING = "workshop/greeting"  # what the master says at a login


class Notes(Protocol):
    """Where it is kept: ConsulClient."""

    def noted(self, key: str) -> str | None: ...
    def note(self, key: str, value: str) -> None: ...
    def forget(self, key: str) -> None: ...


def done(notes: Notes, steps: tuple[Step, ...]) -> int:
    """The number of the last step that is done, 0 before the first. Raises LabError when nobody can tell."""
    said = notes.noted(DONE)
    if said is None:
        return 0
    if said not in map(str, range(len(steps) + 1)):
        raise LabError(
            "how far the steps are done cannot be told",
            last_seen=f"Consul's key {DONE} holds {shown(said)}, not a number from 0 to {len(steps)}",
            try_next=named.command("step goto 1") + ", or the number where you want to go on",
        )
    return int(said)


def note(notes: Notes, steps: tuple[Step, ...], number: int) -> None:
    """The steps up to this number are done, and no later one."""
    notes.note(DONE, str(number))
    notes.note(GREETING, greeting(steps, number, named.command))


def forget(notes: Notes) -> None:
    for key in (DONE, GREETING):
        notes.forget(key)


def greeting(steps: tuple[Step, ...], number: int, command: Callable[[str], str]) -> str:
    """Where one is and what comes next; `command` spells one of the lab's. Pure."""
    if number == len(steps):
        return f"All {number} steps are done. From the beginning, on the host: {command('step goto 1')}"
    step = steps[number]
    return (
        f"{number} of {len(steps)} steps are done. Next is step {step.number}: {step.title}.\n"
        f"On the host: {command(f'step show {step.number}')}, then {command(f'step check {step.number}')}"
    )
