"""The steps as a learner plays them: not done where one begins, done after `solve`, done after typing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from faults import made
from lab import config, environment, machines, named
from lab.model import Lab
from lab.shell import Shell
from lab.waiting import stretched, wait_until
from scenarios.steps.faults import ScenarioFaults
from scenarios.terminal import Terminal
from scenarios.workshop import playing, reading

STEPS = reading.steps(config.load(config.LAB_FILE))
DEADLINE = 600  # seconds; the last step begins where all others are done

pytestmark = pytest.mark.timeout(stretched(DEADLINE))


def typed(*words: object) -> subprocess.CompletedProcess[str]:
    """One `lab` command, on the lab that is played on."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *map(str, words)],
        cwd=environment.ROOT,
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def done(*words: object) -> str:
    """What the command says on stdout; it must exit with 0."""
    ended = typed(*words)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def require_next(number: int) -> None:
    """The step is the next one, and is not done."""
    ended = typed("step", "check", number)
    assert ended.returncode == 1, ended
    assert "try next:" in ended.stderr
    assert f"next  {number}  " in done("steps")


def is_noted(number: int) -> bool:
    return f"done  {number}  " in done("steps")


def test_each_step_is_done_when_it_is_solved_after_the_one_before(lab: Lab) -> None:
    done("step", "goto", 1)
    for number in (step.number for step in STEPS):
        require_next(number)
        done("step", "solve", number)
        done("step", "check", number)
        assert is_noted(number)
        assert "is done already" in typed("step", "solve", number).stderr


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"step-{step.number}")
def test_a_step_is_done_when_its_commands_were_typed(
    lab: Lab, shells: Mapping[str, Shell], step: reading.Step
) -> None:
    done("step", "goto", step.number)
    require_next(step.number)
    shown = done("step", "show", step.number)
    with Terminal(machines.ssh_words(lab.master.name)) as terminal:
        assert f"Next is step {step.number}: {step.title}." in terminal.screen()
        for line in shown.splitlines():
            if line.startswith("  "):
                terminal.type(line[2:])
        print(terminal.screen())
    playing.wait(lab, shells, *reading.steps(lab)[step.number - 1].checks)
    done("step", "check", step.number)


def test_a_step_is_not_solved_where_it_does_not_begin(lab: Lab) -> None:
    done("step", "goto", 1)
    ended = typed("step", "solve", 2)
    assert ended.returncode == 1
    assert "step 2 begins where step 1 ends" in ended.stderr
    assert named.command("step goto 2") in ended.stderr


def test_progress_outlives_consul(lab: Lab, faults: ScenarioFaults) -> None:
    done("step", "goto", 2)
    faults.inject(made("consul-restart"), "the master", 60)
    wait_until(lambda: is_noted(1), 60, "the steps to be listed again")
