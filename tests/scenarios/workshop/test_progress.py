"""How far a learner is, as the lab keeps it."""

from __future__ import annotations

import pytest

from lab import config
from lab.errors import LabError
from lab.testing import FakeNotes
from scenarios.workshop.progress import DONE, GREETING, done, forget, greeting, note
from scenarios.workshop.reading import steps

STEPS = steps(config.load(config.LAB_FILE))


def test_nothing_is_done_before_the_first_step() -> None:
    assert done(FakeNotes(), STEPS) == 0


@pytest.mark.parametrize("number", range(len(STEPS) + 1))
def test_what_was_noted_is_told_again_and_greets(number: int) -> None:
    notes = FakeNotes()
    note(notes, STEPS, number)
    assert done(notes, STEPS) == number
    assert notes[GREETING] == greeting(STEPS, number, "lab {}".format)


def test_what_is_forgotten_is_not_done() -> None:
    notes = FakeNotes()
    note(notes, STEPS, 2)
    forget(notes)
    assert (done(notes, STEPS), notes) == (0, {})


@pytest.mark.parametrize("said", ["", "two", "-1", "1.0", "99", " 1", "1\n", "\x1b[2J", "²"])
def test_progress_that_is_no_number_of_a_step_is_an_error_that_says_what_mends_it(said: str) -> None:
    with pytest.raises(LabError, match="how far the steps are done cannot be told") as caught:
        done(FakeNotes({DONE: said}), STEPS)
    assert "step goto 1" in (caught.value.try_next or "")
    assert "\x1b" not in str(caught.value)


def test_a_greeting_says_what_comes_next_and_how_this_lab_is_called() -> None:
    said = greeting(STEPS, 1, "lab -n two {}".format)
    assert f"Next is step 2: {STEPS[1].title}." in said and "lab -n two step show 2" in said
    assert greeting(STEPS, len(STEPS), "lab {}".format).startswith(f"All {len(STEPS)} steps are done.")


def test_a_greeting_has_no_sign_that_the_masters_script_would_drop() -> None:
    assert all(greeting(STEPS, number, "lab {}".format).isascii() for number in range(len(STEPS) + 1))
