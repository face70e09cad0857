"""`lab steps` and `lab step`, from their words to their exit codes, with every door replaced."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cli.step as step_command
import faults
from lab import config, environment, machines, network, owner
from lab.clients import consul as consul_client
from lab.errors import CheckFailed, HostError
from lab.testing import FakeNotes
from lab.waiting import wait_until
from scenarios.workshop import playing, progress, reading

Lab = Callable[..., tuple[int, str, str]]
STEPS = reading.steps(config.load(config.LAB_FILE))
LAST = len(STEPS)


@pytest.fixture
def consul() -> FakeNotes:
    return FakeNotes()


@pytest.fixture
def lab(command: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, consul: FakeNotes) -> Lab:
    """Runs `lab WORDS...` on a lab that is up, and in which no step's checks are looked at."""
    monkeypatch.setattr(environment, "STATE", tmp_path / "state")
    monkeypatch.setenv("LAB_FILE", str(config.LAB_FILE))
    monkeypatch.setenv(environment.LAB, "")
    monkeypatch.setattr(network, "require_present", lambda lab: None)
    monkeypatch.setattr(machines, "shells", lambda lab: {})
    for module in (step_command, playing):
        monkeypatch.setattr(module, "ConsulClient", lambda lab: consul)
    monkeypatch.setattr(faults, "reset", lambda *_: None)
    for name in ("check", "solve", "do"):
        monkeypatch.setattr(playing, name, lambda *_: None)
    return command


def lacking(*_: object) -> None:
    raise CheckFailed("there is no container", try_next="look at the project")


def test_the_steps_are_listed_with_what_is_done(lab: Lab, consul: FakeNotes) -> None:
    progress.note(consul, STEPS, 2)
    code, out, _ = lab("steps")
    assert code == 0
    assert [line.split("  ")[0].strip() for line in out.splitlines()] == ["done", "done", "next"] + (
        LAST - 3
    ) * [""]
    assert out.splitlines()[2] == f"next  3  {STEPS[2].title}"


def test_a_step_is_shown_with_its_commands_and_needs_no_lab(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "require_present", lambda lab: pytest.fail("it asked for the lab"))
    code, out, _ = lab("step", "show", "1")
    assert (code, out.splitlines()[0]) == (0, f"Step 1 of {LAST}: {STEPS[0].title}")
    assert STEPS[0].explanation in out and out.endswith("lab step check 1\n")


@pytest.mark.parametrize("step", STEPS, ids=lambda step: str(step.number))
def test_what_is_indented_is_what_is_typed_and_nothing_else(step: reading.Step, lab: Lab) -> None:
    _, out, _ = lab("step", "show", str(step.number))
    typed = [line[2:] for line in out.splitlines() if line.startswith("  ")]
    assert typed == [line for commands in step.commands for line in commands.text.splitlines()]
    assert out.count("On swarm-master:") == 1


def test_a_step_that_holds_is_noted_and_the_next_one_is_told(lab: Lab, consul: FakeNotes) -> None:
    assert lab("step", "check", "2")[:2] == (0, "step 2: ok\n")
    assert "Next is step 3" in consul[progress.GREETING]


def test_an_earlier_step_that_holds_takes_nothing_back(lab: Lab, consul: FakeNotes) -> None:
    progress.note(consul, STEPS, 3)
    assert lab("step", "check", "1")[0] == 0
    assert consul[progress.DONE] == "3"


def test_a_step_that_lacks_something_exits_1_with_a_hint_and_is_not_noted(
    lab: Lab, consul: FakeNotes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playing, "check", lacking)
    assert lab("step", "check", "1") == (1, "", "there is no container\n  try next:  look at the project\n")
    assert consul == {}


def test_a_step_that_was_done_before_and_lacks_something_says_so(
    lab: Lab, consul: FakeNotes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playing, "check", lacking)
    progress.note(consul, STEPS, 2)
    code, _, err = lab("step", "check", "1")
    assert code == 1 and "step 1 was done before; `lab step goto 1` begins it anew" in err
    assert consul[progress.DONE] == "2"


def test_a_solved_step_is_noted(lab: Lab, consul: FakeNotes) -> None:
    assert lab("step", "solve", "1")[:2] == (0, "step 1: ok\n")
    assert consul[progress.DONE] == "1"


def test_a_step_that_is_not_solved_is_not_noted(
    lab: Lab, consul: FakeNotes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playing, "solve", lacking)
    assert lab("step", "solve", "1")[0] == 1
    assert consul == {}


def test_to_go_back_takes_back_what_was_done(lab: Lab, consul: FakeNotes) -> None:
    progress.note(consul, STEPS, LAST)
    assert lab("step", "goto", "2")[:2] == (0, "step 2 begins here\n")
    assert consul[progress.DONE] == "1"


def test_to_go_to_a_step_that_ends_on_the_way_leaves_what_is_done(
    lab: Lab, consul: FakeNotes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playing, "do", lambda lab, shells, step, say: lacking() if step.number == 2 else None)
    progress.note(consul, STEPS, LAST)
    assert lab("step", "goto", "4")[0] == 1
    assert consul[progress.DONE] == "1"


def test_a_reset_forgets_what_was_done(lab: Lab, consul: FakeNotes) -> None:
    progress.note(consul, STEPS, 2)
    assert lab("reset")[0] == 0
    assert consul == {}


@pytest.mark.parametrize("words", [["steps"], ["step", "check", "1"], ["step", "solve", "1"]])
def test_progress_that_is_no_number_exits_5_and_says_what_mends_it(
    words: list[str], lab: Lab, consul: FakeNotes
) -> None:
    consul[progress.DONE] = "many"
    code, out, err = lab(*words)
    assert (code, out) == (5, "")
    assert f'Consul\'s key {progress.DONE} holds "many"' in err and "lab step goto 1" in err


def test_progress_that_is_no_number_is_mended_by_going_to_a_step(lab: Lab, consul: FakeNotes) -> None:
    consul[progress.DONE] = "many"
    assert lab("step", "goto", "1")[0] == 0
    assert consul[progress.DONE] == "0"


@pytest.mark.parametrize("what", ["show", "check", "solve", "goto"])
@pytest.mark.parametrize("number", ["0", str(LAST + 1), "first"])
def test_a_step_that_is_not_there_exits_2_before_anything_is_asked(
    what: str, number: str, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "require_present", lambda lab: pytest.fail("it asked for the lab"))
    code, _, err = lab("step", what, number)
    assert code == 2
    assert f'there is no step "{number}"' in err and f"one of 1 to {LAST}" in err


def test_a_word_that_is_none_of_step_exits_2(lab: Lab) -> None:
    assert lab("step", "shwo", "1")[0] == 2


@pytest.mark.parametrize("what", ["check", "solve", "goto"])
def test_a_lab_that_is_down_exits_4(what: str, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(lab: object) -> None:
        raise HostError("the lab's network is not on this host", try_next="make lab-up")

    monkeypatch.setattr(network, "require_present", absent)
    code, _, err = lab("step", what, "1")
    assert code == 4 and "make lab-up" in err


def test_the_steps_of_a_lab_that_is_down_exit_4(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(lab: object) -> None:
        raise HostError("the lab's network is not on this host", try_next="make lab-up")

    monkeypatch.setattr(consul_client, "require_present", absent)
    monkeypatch.setattr(step_command, "ConsulClient", consul_client.ConsulClient)
    assert lab("steps")[:2] == (4, "")


@pytest.fixture
def held(lab: Lab) -> Iterator[None]:
    """Another process holds the lab."""
    owner.file().parent.mkdir(parents=True)
    line = "import sys; from lab import environment, owner; from pathlib import Path\n"
    line += "environment.STATE = Path(sys.argv[1])\nwith owner.held(print, command='lab soak'): input()"
    words = [sys.executable, "-c", line, str(environment.STATE)]
    clean = {name: value for name, value in os.environ.items() if name != owner.NAME}
    with subprocess.Popen(words, stdin=subprocess.PIPE, env=clean, cwd=environment.ROOT) as process:
        wait_until(lambda: "lab soak" in owner.file().read_text(), 20, "the lab to be held")
        yield
        assert process.stdin
        process.stdin.close()


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("what", ["solve", "goto"])
def test_a_lab_that_another_command_holds_is_left_alone_with_whose_it_is(
    what: str, lab: Lab, consul: FakeNotes
) -> None:
    code, _, err = lab("step", what, "1")
    assert code == 1 and "held by another command" in err and "lab soak" in err
    assert consul == {}
