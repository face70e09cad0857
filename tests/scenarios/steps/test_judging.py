"""The judging steps, given what a scenario has seen: each holds when it should and fails when it should."""

from __future__ import annotations

from typing import Any, cast

import pytest

from evidence.answers import Answer, Outcome
from evidence.probe import Probe
from lab.errors import CheckFailed
from scenarios.steps import article, deployments, verdicts
from scenarios.steps.world import Story

BOOK = '[{"_id": "%s", "title": "x"}]'


def answers(words: str) -> list[Answer]:
    """One answer a word: `1.0-blue`, or `fails`."""
    told = []
    for at, word in enumerate(words.split()):
        release, _, color = word.partition("-")
        error = "http 502" if word == "fails" else None
        status, outcome = (502, "fail") if error else (200, "ok")
        told.append(Answer(at, at, at + 0.1, status, release, color, "n1", error, cast(Outcome, outcome)))
    return told


def story(words: str) -> Story:
    """A story whose probe has ended with these answers."""
    return Story(probe=cast(Probe, object()), answers=answers(words))


# --- who served ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["1.0-blue 1.1-green", "1.0-blue 1.1-green 1.0-blue 1.1-green"])
def test_users_were_served_in_turn_when_first_and_last_are_so(words: str) -> None:
    verdicts.served_in_turn(story(words), "1.0 by blue", "1.1 by green")


@pytest.mark.parametrize(
    "words", ["1.0-blue", "1.1-green 1.0-blue", "1.0-blue 9-red 1.1-green", "1.0-blue 1.1-green 1.0-blue"]
)
def test_users_were_not_served_in_turn_when_they_are_not(words: str) -> None:
    with pytest.raises(AssertionError):
        verdicts.served_in_turn(story(words), "1.0 by blue", "1.1 by green")


def test_only_one_served() -> None:
    verdicts.served_only(story("1.0-blue 1.0-blue"), "1.0 by blue")
    for words in ("1.0-blue 1.1-green", "1.1-green", "fails"):
        with pytest.raises(AssertionError):
            verdicts.served_only(story(words), "1.0 by blue")


def test_one_failed_request_is_told() -> None:
    verdicts.no_request_fails(story("1.0-blue 1.0-blue"))
    with pytest.raises(AssertionError, match=r"3 requests, 1 failed \(http 502\)"):
        verdicts.no_request_fails(story("1.0-blue fails 1.0-blue"))


def test_without_users_there_is_no_verdict() -> None:
    with pytest.raises(AssertionError, match="no users were asking"):
        verdicts.no_request_fails(Story())


# --- what was said ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", ["a", "a and b", "a, b and c"])
def test_an_output_shows_each_name(names: str) -> None:
    article.output_shows(Story(output="c b a"), names)


@pytest.mark.parametrize("names", ["d", "a and d", "d, a and b"])
def test_a_name_that_an_output_does_not_show_is_told(names: str) -> None:
    with pytest.raises(AssertionError, match="no d in"):
        article.output_shows(Story(output="c b a"), names)


@pytest.mark.parametrize("output", ["[]", BOOK % 1, '[{"_id": "1"}, {"_id": "2"}, {"_id": "3"}]'])
def test_other_books_are_not_the_three(output: str) -> None:
    with pytest.raises(AssertionError):
        article.three_books(Story(output=output))


REFUSED = CheckFailed("books-service stays on blue: no such image")


def test_a_deployment_is_refused_with_what_its_error_or_its_output_says() -> None:
    deployments.refused_with(Story(error=REFUSED), "stays on blue")
    deployments.refused_with(Story(error=REFUSED, output="manifest for 9.9"), "manifest for")


@pytest.mark.parametrize(
    ("told", "said"),
    [(Story(), "it was not refused"), (Story(error=REFUSED, output="other"), "no such image")],
    ids=["not refused", "for another reason"],
)
def test_a_deployment_is_not_refused_without_its_words(told: Story, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        deployments.refused_with(told, "manifest for")


def test_a_deployment_that_was_refused_did_not_succeed() -> None:
    deployments.deployment_succeeds(Story())
    with pytest.raises(AssertionError, match="stays on blue"):
        deployments.deployment_succeeds(Story(error=REFUSED))


@pytest.mark.parametrize("words", ["TASK", "ok=1"])
def test_an_output_says(words: str) -> None:
    seen: Any = Story(output="TASK [x]\nok=1")
    deployments.output_says(seen, words)
    with pytest.raises(AssertionError):
        deployments.output_says(seen, f"{words}!")
