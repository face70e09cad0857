"""Does the steps: types what they say, and brings the lab to where one begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import faults
from deployments.differences import differences
from lab import named
from lab.clients.consul import ConsulClient
from lab.errors import CheckFailed
from lab.model import Lab
from lab.shell import Result, Shell
from lab.waiting import wait_until
from scenarios.workshop import progress
from scenarios.workshop.checks import missing
from scenarios.workshop.looking import Seen, look
from scenarios.workshop.reading import Step

Say = Callable[[str], None]
DONE_WITHIN = 150.0  # seconds: a build in Jenkins, or a failure that is noticed and healed


def as_printed(shell: Shell, commands: str) -> Result:
    """The commands as the user vagrant types them; each must succeed."""
    return shell.run("set -e -o pipefail\n" + commands, sudo=False, timeout=240)


def check(lab: Lab, shells: Mapping[str, Shell], *phrases: str) -> None:
    """Raises CheckFailed with what is missing, and a hint as what to try next."""
    lacking = missing(lab, look(lab, shells), *phrases)
    if lacking:
        raise CheckFailed(lacking.what, try_next=lacking.hint)


def wait(lab: Lab, shells: Mapping[str, Shell], *phrases: str) -> None:
    """Wait until the phrases hold. Raises TimedOut with what is missing."""

    def hold() -> bool:
        check(lab, shells, *phrases)
        return True

    wait_until(hold, DONE_WITHIN, ", ".join(phrases), try_next=named.command("status"))


def do(lab: Lab, shells: Mapping[str, Shell], step: Step, say: Say) -> None:
    """The step's commands, and what they lead to. Raises CommandFailed or TimedOut."""
    say(f"step {step.number}: {step.title}")
    for commands in step.commands:
        as_printed(shells[commands.node], commands.text)
    wait(lab, shells, *step.checks)


def solve(lab: Lab, shells: Mapping[str, Shell], steps: tuple[Step, ...], step: Step, say: Say) -> None:
    """Do a step where it begins; one that is done is left so. Raises CheckFailed where it does not begin."""
    seen = look(lab, shells)
    if missing(lab, seen, *step.checks) is None:
        say(f"step {step.number} is done already")
        return
    refusal = not_begun(lab, seen, steps, step)
    if refusal:
        raise refusal
    do(lab, shells, step, say)


def not_begun(lab: Lab, seen: Seen, steps: tuple[Step, ...], step: Step) -> CheckFailed | None:
    """Why the step cannot be done in the state that was seen: what it needs is broken, or not there. Pure."""
    number = step.number
    if seen.observation.left:
        left = "\n".join(f"{node}: {lines}" for node, lines in seen.observation.left)
        return CheckFailed(
            f"a fault is open, so step {number} is not solved",
            last_seen=left,
            try_next=named.command("reset"),
        )
    if number == 1:
        lines = [str(one) for one in differences(lab, lab.main_service, seen.observation)]
    else:
        lacking = missing(lab, seen, *steps[number - 2].checks)
        lines = [lacking.what] if lacking else []
    if not lines:
        return None
    begin = "at the baseline" if number == 1 else f"where step {number - 1} ends"
    return CheckFailed(
        f"step {number} begins {begin}, and the lab is not there",
        last_seen="\n".join(lines),
        try_next=named.command(f"step goto {number}"),
    )


def reset(lab: Lab, shells: Mapping[str, Shell], say: Say = lambda _: None) -> None:
    """The baseline, where no step is done."""
    faults.reset(lab, shells, say)
    progress.forget(ConsulClient(lab))


def goto(
    lab: Lab,
    shells: Mapping[str, Shell],
    steps: tuple[Step, ...],
    step: Step,
    *,
    say: Say,
    note: Callable[[int], None],
) -> None:
    """Whatever the lab is like: the baseline, and each step before this one done.

    `note` is told how many steps are done, each time that changes: an end on the way leaves the truth.
    """
    faults.reset(lab, shells, say)
    note(0)
    for earlier in steps[: step.number - 1]:
        do(lab, shells, earlier, say)
        note(earlier.number)
