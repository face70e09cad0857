from __future__ import annotations

import time
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from evidence.answers import Answer, Outcome
from evidence.measures import FaultWindow
from evidence.report import pictures
from evidence.report.model import Build, Event, Scenario
from evidence.spending import RESETS, STEPS, Row

SVG = "{http://www.w3.org/2000/svg}"
NOTHING = Scenario("First", "A feature", "01-first", 100.0, 60.0, "passed", "", {}, {}, (), (), (), (), ())


def answer(at: float, color: str = "blue", release: str = "1.0", outcome: Outcome = "ok") -> Answer:
    return Answer(at, at, at + 0.01, 200, release, color, "n1", None, outcome)


def many(count: int) -> tuple[Answer, ...]:
    return tuple(answer(100 + n / 50, outcome="fail" if n % 7 == 0 else "ok") for n in range(count))


FULL = replace(
    NOTHING,
    answers=many(500),
    faults=(FaultWindow("f", "kill", "books_blue_1", 102.0, 130.0, 107.0, "healed"),),
    builds=(Build("books", 4, 103.0, 106.0, "SUCCESS"), Build("books", 5, 107.0, None, "building")),
    events=(Event(104.0, "consul", "books (api): passing → critical", "books critical", "bad"),),
)


def texts(svg: str) -> str:
    return " ".join("".join(one.itertext()) for one in ElementTree.fromstring(svg).iter(f"{SVG}text"))


def test_a_picture_names_what_it_shows() -> None:
    shown = texts(pictures.timeline(FULL))
    words = "1.0 by blue (428)/failed (72)/kill (books_blue_1)/books critical/books #4 SUCCESS"
    lanes = "users/faults/Consul/Swarm/Jenkins/logs/seconds since the fault"
    assert [word for word in f"{words}/{lanes}".split("/") if word not in shown] == []


def test_a_scenario_without_requests_has_a_picture_that_says_so() -> None:
    shown = texts(pictures.timeline(NOTHING))
    assert "no request was sent" in shown and "seconds since the first request" in shown


def test_many_requests_are_an_image_and_the_picture_stays_small() -> None:
    begin = time.monotonic()
    svg = pictures.timeline(replace(FULL, answers=many(100_000)))
    assert len(svg) < 400_000
    assert time.monotonic() - begin < 10
    assert "<image" in svg


def test_the_same_scenario_has_the_same_picture() -> None:
    assert pictures.timeline(FULL) == pictures.timeline(FULL)


def test_a_color_keeps_its_hue_and_a_second_release_is_lighter() -> None:
    hues = pictures.series([answer(1), answer(2, "green", "1.1"), answer(3, "blue", "1.2")])
    assert hues == {("1.0", "blue"): "#0072b2", ("1.2", "blue"): "#56b4e9", ("1.1", "green"): "#00855f"}


def test_an_answer_without_a_color_has_a_hue_too() -> None:
    assert set(pictures.series([answer(1, "", "")])) == {("", "")}
    assert pictures.label("", "") == "ok"


def test_a_stripe_shows_failures_first_and_by_their_share() -> None:
    mixed = [answer(1), answer(1), answer(1), answer(1, outcome="fail")]
    hues = pictures.series(mixed)
    assert pictures.stripe(mixed, hues) == [(pictures.FAILED, 0.25), ("#0072b2", 0.75)]


def test_the_clock_begins_at_the_fault_or_at_the_first_request() -> None:
    assert pictures.zero(FULL) == 102.0
    assert pictures.zero(replace(FULL, faults=())) == 100.0
    assert pictures.zero(NOTHING) == 100.0


def test_the_picture_lasts_to_the_last_answer_or_the_faults_end() -> None:
    begin, end = pictures.span(FULL)
    assert 99 < begin < 100.0
    assert 109.99 < end < 111
    late = replace(FULL, faults=(replace(FULL.faults[0], end=150.0),))
    assert pictures.span(late)[1] > 150.0


@pytest.mark.parametrize(
    ("texts", "placed"),
    [
        ([(1.0, "abc", "")], [(1.0, 0)]),
        ([(1.0, "abc", ""), (2.0, "abc", "")], [(1.0, 0), (2.0, 1)]),
        ([(1.0, "abc", ""), (2.0, "abc", ""), (3.0, "abc", "")], [(1.0, 0), (2.0, 1)]),
        ([(1.0, "abc", ""), (6.0, "abc", "")], [(1.0, 0), (6.0, 0)]),
        ([(99.0, "abcde", "")], [(95.0, 0)]),
        ([(101.0, "abc", "")], []),
    ],
    ids=["one", "two that meet", "no room for a third", "beside one another", "at the edge", "outside"],
)
def test_words_do_not_run_into_one_another(
    texts: list[tuple[float, str, str]], placed: list[tuple[float, int]]
) -> None:
    assert [(place, row) for place, row, *_ in pictures.fitting(texts, 0, 100, 1)] == placed


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.001, "1 ms"), (0.05, "50 ms"), (0.1, "0.1 s"), (10, "10 s")]
)
def test_spans_are_short_on_an_axis(seconds: float, text: str) -> None:
    assert pictures.duration(seconds) == text


# --- where the time went ------------------------------------------------------------------------------------

ROWS = (
    Row(RESETS, "", 2, 20.0, 12.0, 0.4),
    Row(STEPS, "", 9, 30.0, 0.0, 0.6),
    Row(STEPS, "$x_{$", 1, 9, 0, 0.2),
)


def test_each_bar_has_its_name_and_waits_are_told_from_work() -> None:
    shown = texts(pictures.bars(ROWS))
    assert [
        word for word in ("resets", "steps", "$x_{$", "at work", "waiting", "seconds") if word not in shown
    ] == []


def test_a_run_from_before_waits_were_kept_tells_no_work_from_waits() -> None:
    shown = texts(pictures.bars(ROWS[1:]))
    assert "at work" not in shown and "steps" in shown


def test_a_run_in_which_no_time_passed_has_bars() -> None:
    assert "resets" in texts(pictures.bars([Row(RESETS, "", 1, 0.0, 0.0, 0.0)]))


def test_the_legend_names_some_of_many_releases_and_counts_the_rest() -> None:
    answers = tuple(answer(100 + n, release=f"r{n}") for n in range(40))
    shown = texts(pictures.timeline(replace(NOTHING, answers=answers)))
    assert "r0 by blue (1)" in shown and "28 more (28)" in shown


def test_a_text_without_end_is_cut() -> None:
    fault = FaultWindow("f", "x" * 100_000, "books", 102.0, 130.0, 107.0, "healed")
    shown = texts(pictures.timeline(replace(FULL, faults=(fault,))))
    assert "x" * pictures.MOST_TEXT in shown and "x" * (pictures.MOST_TEXT + 1) not in shown


def test_requests_that_were_told_and_are_gone_were_not_never_sent() -> None:
    shown = texts(pictures.timeline(replace(NOTHING, judged={"requests": 9})))
    assert "its requests are not there" in shown and "no request was sent" not in shown
