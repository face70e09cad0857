"""Steps are checked, solved and gone to, on nodes that answer by a table."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import pytest

import faults
from deployments import observed
from deployments.observed import Observation
from lab import config, waiting
from lab.errors import CheckFailed, TimedOut
from lab.shell import CommandFailed
from lab.testing import FakeNotes, FakeShell, said
from provisioning.health import Seen as Health
from scenarios.steps import world
from scenarios.workshop import looking, playing, progress
from scenarios.workshop.looking import Seen
from scenarios.workshop.reading import Commands, Step, steps

LAB = config.load(config.LAB_FILE)
STEPS = steps(LAB)
MASTER = LAB.master.name


@pytest.fixture
def seen(at_baseline: Observation) -> Seen:
    assert at_baseline.noted
    return Seen(at_baseline, at_baseline.noted, "unknown", None, "")


class Lab:
    """Looks at it see one state after the other, the last one for ever."""

    def __init__(self, states: list[Seen]) -> None:
        self.states, self.looks = states, 0
        self.shells = {MASTER: FakeShell({"": said("done\n")}, MASTER)}
        self.lines: list[str] = []

    def look(self, *_: object) -> Seen:
        self.looks += 1
        return self.states[min(self.looks, len(self.states)) - 1]


@pytest.fixture
def lab(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> Lab:
    fake = Lab([seen])
    monkeypatch.setattr(playing, "look", fake.look)
    monkeypatch.setattr(waiting, "PAUSE", 0.0)
    monkeypatch.setattr(playing, "DONE_WITHIN", 0.05)
    return fake


def step(*checks: str, number: int = 1) -> Step:
    return Step(number, "Title", "", (Commands(MASTER, "one\ntwo"), Commands(MASTER, "three")), checks)


def test_a_step_is_typed_as_printed_and_its_effect_waited_for(lab: Lab, seen: Seen) -> None:
    lab.states.append(replace(seen, check="passing"))
    playing.do(LAB, lab.shells, step("Consul checks the service"), lab.lines.append)
    assert lab.shells[MASTER].scripts == [f"set -e -o pipefail\n{text}" for text in ("one\ntwo", "three")]
    assert (lab.lines, lab.looks) == (["step 1: Title"], 2)


def test_an_effect_that_does_not_come_is_told_with_what_is_missing(lab: Lab) -> None:
    with pytest.raises(TimedOut, match="Consul checks the service") as caught:
        playing.do(LAB, lab.shells, step("Consul checks the service"), lab.lines.append)
    assert "Consul has no check of books-service" in (caught.value.last_seen or "")


def test_a_command_that_fails_ends_the_step(lab: Lab) -> None:
    lab.shells[MASTER].answers = {"one": said(exit=9)}
    with pytest.raises(CommandFailed):
        playing.do(LAB, lab.shells, step("users get blue"), lab.lines.append)
    assert lab.looks == 0


def test_what_is_done_is_not_done_again(lab: Lab) -> None:
    playing.solve(LAB, lab.shells, STEPS, step("users get blue"), lab.lines.append)
    assert (lab.shells[MASTER].scripts, lab.lines) == ([], ["step 1 is done already"])


def test_a_check_fails_with_what_is_missing_and_its_hint(lab: Lab) -> None:
    playing.check(LAB, lab.shells, "users get blue")
    with pytest.raises(CheckFailed, match="Consul notes blue as live, not green") as caught:
        playing.check(LAB, lab.shells, "users get blue", "users get green")
    assert caught.value.try_next


def refused(lab: Lab, number: int) -> CheckFailed:
    with pytest.raises(CheckFailed) as caught:
        playing.solve(LAB, lab.shells, STEPS, STEPS[number - 1], lab.lines.append)
    assert lab.shells[MASTER].scripts == [], "it was begun all the same"
    return caught.value


def test_the_first_step_begins_at_the_baseline_alone(lab: Lab, seen: Seen) -> None:
    lab.states = [replace(seen, observation=replace(seen.observation, volumes=frozenset({"swarm-node-01"})))]
    error = refused(lab, 1)
    assert error.what == "step 1 begins at the baseline, and the lab is not there"
    assert error.try_next == "lab step goto 1" and "an earlier database" in (error.last_seen or "")


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_a_later_step_begins_where_the_one_before_ends(number: int, lab: Lab) -> None:
    error = refused(lab, number)
    assert error.what.startswith(f"step {number} begins where step {number - 1} ends")
    assert error.last_seen and error.try_next == f"lab step goto {number}"


def test_nothing_is_solved_while_a_fault_is_open(lab: Lab, seen: Seen) -> None:
    lab.states = [replace(seen, observation=replace(seen.observation, left=((MASTER, "unit: lab-fault-1"),)))]
    error = refused(lab, 1)
    assert (error.last_seen, error.try_next) == (f"{MASTER}: unit: lab-fault-1", "lab reset")


def test_of_a_lab_in_which_something_does_not_answer_nothing_is_told(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Observation(unwell=(Health("nginx", MASTER, "exited"),))
    monkeypatch.setattr(observed, "look", lambda *_: broken)
    monkeypatch.setattr(playing, "look", looking.look)
    error = refused(lab, 1)
    assert error.what == "not everything answers, so no step can be checked or solved"
    assert (error.last_seen, error.try_next) == (f"nginx on {MASTER}: exited", "make lab-up")


def test_what_was_busy_answers_the_second_look(
    lab: Lab, seen: Seen, at_baseline: Observation, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = Observation(unwell=(Health("jenkins", MASTER, "no answer when asked for its queue"),))
    looks = [busy, at_baseline]
    monkeypatch.setattr(observed, "look", lambda *_: looks.pop(0))
    monkeypatch.setattr(looking, "ConsulClient", lambda _: None)
    monkeypatch.setattr(looking, "JenkinsClient", lambda _: nullcontext())
    monkeypatch.setattr(looking, "closing", lambda client: client)
    monkeypatch.setattr(looking, "whole", lambda lab_, shells, told, *_: replace(seen, observation=told))
    assert looking.look(LAB, lab.shells).observation is at_baseline
    assert not looks


@pytest.mark.parametrize("number", [1, 3])
def test_to_go_to_a_step_is_the_baseline_and_each_step_before(
    number: int, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "reset", lambda lab_, shells, say: say("reset"))
    monkeypatch.setattr(playing, "do", lambda lab_, shells, step, say: say(f"do {step.number}"))
    say = lab.lines.append
    playing.goto(LAB, lab.shells, STEPS, STEPS[number - 1], say=say, note=lambda n: say(f"note {n}"))
    each = (word for earlier in range(1, number) for word in (f"do {earlier}", f"note {earlier}"))
    assert lab.lines == ["reset", "note 0", *each]


@pytest.mark.parametrize(
    "baseline",
    [playing.reset, world.at_baseline, world.one_baseline.__wrapped__],  # type: ignore[attr-defined]
    ids=["a reset", "a scenario's", "a module's"],
)
def test_at_the_baseline_no_step_is_done(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, baseline: Callable[..., None]
) -> None:
    notes = FakeNotes()
    progress.note(notes, STEPS, 2)
    monkeypatch.setattr(playing, "ConsulClient", lambda _: notes)
    monkeypatch.setattr(faults, "reset", lambda *_: None)
    baseline(LAB, lab.shells)
    assert progress.done(notes, STEPS) == 0
