"""What is missing of a step, and the hint, by what was seen."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from deployments.observed import Answer, Container, Observation
from lab import config
from lab.clients.consul import Instance
from lab.clients.jenkins import Newest
from scenarios.workshop.checks import CHECKS, Missing, is_known, missing
from scenarios.workshop.looking import Seen
from scenarios.workshop.reading import steps

LAB = config.load(config.LAB_FILE)
STEPS = {step.number: step.checks for step in steps(LAB)}
MADE = 1767265200.0  # 2026-01-01T11:00:00Z, when green was made
GREEN = Container(
    "booksservice_green_1",
    "swarm-node-02",
    "running",
    "10.100.199.200:5000/books-service:1.1",
    "2026-01-01T11:00:00.123456789Z",
    addresses=("10.100.199.202:32770",),
)
NOTICED = ">>> Service books-service is critical\n"
HEALED = f"{NOTICED}12:00:00 books-service: passes its check again after 1 deployments\n"


@pytest.fixture
def baseline(at_baseline: Observation) -> Seen:
    assert at_baseline.noted
    return Seen(at_baseline, at_baseline.noted, "unknown", None, "")


def noted(seen: Seen, **other: Any) -> Seen:
    return replace(seen, noted=replace(seen.noted, **other))


def with_container(seen: Seen, one: Container) -> Seen:
    others = [known for known in seen.observation.containers if known.name != one.name]
    return replace(seen, observation=replace(seen.observation, containers=(*others, one)))


def changed(seen: Seen, name: str, **other: Any) -> Seen:
    one = seen.observation.container(name)
    assert one
    return with_container(seen, replace(one, **other))


@pytest.fixture
def beside(baseline: Seen) -> Seen:
    """The end of step 1."""
    known = {**baseline.noted.known, "green": (Instance("g", GREEN.node, GREEN.addresses[0]),)}
    return noted(with_container(baseline, GREEN), known=known)


@pytest.fixture
def cut_over(beside: Seen) -> Seen:
    """The end of step 2."""
    users = Answer("green", "1.1", beside.noted.users.books)
    seen = noted(beside, color="green", upstream=f"server {GREEN.addresses[0]};", users=users)
    return changed(seen, "booksservice_blue_1", state="exited", addresses=())


@pytest.fixture
def checked(cut_over: Seen) -> Seen:
    """The end of step 3, on the other color."""
    return replace(cut_over, check="passing", build=Newest(3, "SUCCESS", MADE - 90, MADE - 60))


@pytest.fixture
def built(checked: Seen) -> Seen:
    """The end of step 4."""
    return replace(checked, build=Newest(4, "SUCCESS", MADE - 9, MADE + 9))


@pytest.fixture
def healed(built: Seen) -> Seen:
    """The end of step 5."""
    return replace(built, log=HEALED)


ENDS = ("baseline", "beside", "cut_over", "checked", "built", "healed")


@pytest.mark.parametrize("number", STEPS)
def test_a_step_is_missing_where_it_begins_and_there_where_it_ends(
    number: int, request: pytest.FixtureRequest
) -> None:
    begin, end = (request.getfixturevalue(ENDS[at]) for at in (number - 1, number))
    assert isinstance(missing(LAB, begin, *STEPS[number]), Missing)
    assert missing(LAB, end, *STEPS[number]) is None


def lacks(seen: Seen, number: int) -> tuple[str, str]:
    lacking = missing(LAB, seen, *STEPS[number])
    assert lacking, "nothing is missing"
    assert not any(
        word in lacking.hint for word in ("docker ", "curl", "consul-template ", "ansible-playbook")
    )
    return lacking.what, lacking.hint


def test_what_comes_beside_blue_is_told_by_how_far_it_is(baseline: Seen, beside: Seen) -> None:
    assert lacks(baseline, 1)[0] == "there is no container booksservice_green_1"
    exited = changed(beside, GREEN.name, state="exited", addresses=())
    assert lacks(exited, 1)[0] == "booksservice_green_1 is exited" and "its log" in lacks(exited, 1)[1]
    old = changed(beside, GREEN.name, image="10.100.199.200:5000/books-service:1.0")
    assert "not of books-service:1.1" in lacks(old, 1)[0] and ".env" in lacks(old, 1)[1]
    unknown = noted(beside, known={**beside.noted.known, "green": ()})
    assert (
        lacks(unknown, 1)[0] == "Consul does not know where green is"
        and "Registrator" in lacks(unknown, 1)[1]
    )


def test_blue_that_was_stopped_too_early_is_told(beside: Seen) -> None:
    stopped = changed(beside, "booksservice_blue_1", state="exited", addresses=())
    what, hint = lacks(noted(stopped, users=Answer("", "", None)), 1)
    assert what == "booksservice_blue_1 is exited" and "users still need it" in hint


def test_a_lab_that_is_past_the_first_step_is_told_so(cut_over: Seen) -> None:
    assert lacks(cut_over, 1) == (
        "booksservice_blue_1 is exited",
        "users get green: the lab is past this step",
    )


def test_each_part_of_a_cut_over_is_told_apart(beside: Seen, cut_over: Seen) -> None:
    assert lacks(beside, 2)[0] == "Consul notes blue as live, not green"
    color = noted(beside, color="green")
    assert lacks(color, 2)[0] == "nginx's file does not send users to green"
    written = noted(color, upstream=cut_over.noted.upstream)
    assert lacks(written, 2)[0] == "users get blue, not the books of green"
    told = noted(written, users=cut_over.noted.users)
    assert lacks(told, 2) == (
        "booksservice_blue_1 still runs",
        "nobody asks it any more, so it may be stopped",
    )


def test_an_error_of_the_live_color_is_no_answer(cut_over: Seen) -> None:
    broken = noted(cut_over, users=Answer("green", "1.1", None))
    assert lacks(broken, 2)[0] == "users get green, not the books of green"


def test_a_color_that_serves_is_not_to_be_stopped(cut_over: Seen) -> None:
    assert missing(LAB, cut_over, "green is stopped") == Missing(
        "booksservice_green_1 still runs", "users still get it: the other color comes first"
    )


def test_a_color_that_is_gone_is_as_good_as_stopped(cut_over: Seen) -> None:
    there = [one for one in cut_over.observation.containers if one.name != "booksservice_blue_1"]
    gone = replace(cut_over, observation=replace(cut_over.observation, containers=tuple(there)))
    assert missing(LAB, gone, *STEPS[2]) is None


@pytest.mark.parametrize("color", ["", "purple"])
@pytest.mark.parametrize("number", [3, 4, 5])
def test_a_live_color_that_is_none_is_told(number: int, color: str, healed: Seen) -> None:
    assert lacks(noted(healed, color=color), number)[0] == f"Consul notes {color!r} as the live color"


def test_a_service_that_nobody_checks_is_told(cut_over: Seen, checked: Seen) -> None:
    assert lacks(cut_over, 3)[0] == "Consul has no check of books-service"
    critical = replace(checked, check="critical")
    assert lacks(critical, 3)[0] == "Consul's check of books-service is critical"


@pytest.mark.parametrize(
    ("build", "what"),
    [
        (None, "Jenkins never built books-service"),
        (Newest(4, None, MADE - 9, MADE - 9), "build 4 of books-service is running"),
        (Newest(4, "FAILURE", MADE - 9, MADE + 9), "build 4 of books-service ended: FAILURE"),
        (Newest(3, "SUCCESS", MADE - 90, MADE - 60), "what is live did not come by build 3"),
        (Newest(5, "SUCCESS", MADE + 60, MADE + 90), "what is live did not come by build 5"),
    ],
)
def test_a_build_is_told_by_how_far_it_is(build: Newest | None, what: str, checked: Seen) -> None:
    assert lacks(replace(checked, build=build), 4)[0].startswith(what)


def test_a_healing_is_told_by_how_far_it_is(built: Seen, cut_over: Seen) -> None:
    assert lacks(built, 5)[0] == "nothing had to be healed yet"
    silent = noted(built, users=Answer("", "", None))
    assert "has not noticed yet" in lacks(silent, 5)[0]
    assert f"every {LAB.check_interval} seconds" in lacks(silent, 5)[1]
    begun = replace(silent, log=NOTICED)
    assert lacks(begun, 5)[0] == "books-service is being healed"
    assert lacks(cut_over, 5)[0] == "Consul has no check of books-service"


def test_a_service_that_healed_and_was_stopped_again_is_not_done(healed: Seen) -> None:
    again = changed(healed, GREEN.name, state="exited", addresses=())
    assert lacks(again, 5)[0] == "green is live, but does not run"


@pytest.mark.parametrize(
    ("phrase", "known"),
    [
        ("users get blue", True),
        ("users get the live color", True),
        ("users get red", False),
        ("users get blue now", False),
        ("no request fails", False),
        ("", False),
    ],
)
def test_a_phrase_is_a_check_or_not(phrase: str, known: bool) -> None:
    assert is_known(phrase) is known


def test_a_phrase_that_is_none_is_an_error(baseline: Seen) -> None:
    with pytest.raises(LookupError, match="no such"):
        missing(LAB, baseline, "no such")


def test_every_check_is_of_some_step() -> None:
    phrases = [phrase for checks in STEPS.values() for phrase in checks]
    assert [known for known in CHECKS if not any(re.fullmatch(known, one) for one in phrases)] == []
