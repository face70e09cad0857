from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from evidence.entries import VERDICTS
from evidence.entries import of as entry
from evidence.measures import judge
from evidence.report import openmetrics
from evidence.report.model import Report, Scenario
from evidence.spending import Spending
from lab.errors import printable

from .test_page import FACTS, judged, report
from .test_pictures import FULL, NOTHING

FAULTY = replace(FULL, judged=judge(FULL.answers, [], 0, "b") | {"recovered_after": 12.125})


def samples(shown: Report) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """What another parser reads: (name, labels) -> value."""
    text = openmetrics.render(shown)
    read = [one for family in text_string_to_metric_families(text) for one in family.samples]
    found = {(one.name, frozenset(one.labels.items())): one.value for one in read}
    assert len(found) == len(read), "a sample came twice"
    return found


def value(shown: Report, name: str, **labels: str) -> float | None:
    return samples(shown).get((f"bluegreen_lab_{name}", frozenset(labels.items())))


def of(scenario: Scenario) -> dict[str, str]:
    return {"scenario": scenario.name, "feature": scenario.feature}


def test_the_numbers_of_a_scenario_are_there_with_their_units() -> None:
    shown = report(FAULTY)
    assert value(shown, "scenario_recovered_after_seconds", **of(FULL)) == 12.125
    assert value(shown, "scenario_requests", **of(FULL)) == 500
    assert value(shown, "scenario_failed_requests", **of(FULL)) == 72
    assert value(shown, "scenario_seconds", **of(FULL)) == 60
    assert value(shown, "scenario_latency_seconds", **of(FULL), phase="all", quantile="0.95") == 0.01


def test_a_number_that_was_not_seen_has_no_sample() -> None:
    unseen = replace(FAULTY, judged=FAULTY.judged | {"recovered_after": None})
    assert value(report(unseen), "scenario_recovered_after_seconds", **of(FULL)) is None
    assert value(report(NOTHING), "scenario_requests", **of(NOTHING)) is None


@pytest.mark.parametrize(
    ("verdict", "passed"), [("passed", 1), ("known limit", 1), ("failed", 0), ("cut", 0)]
)
def test_passes_and_failures_are_counted(verdict: str, passed: int) -> None:
    shown = report(replace(NOTHING, verdict=verdict))
    assert value(shown, "scenario_passed", **of(NOTHING)) == passed
    assert value(shown, "scenarios", verdict=verdict) == 1
    assert sum(value(shown, "scenarios", verdict=word) or 0 for word in VERDICTS) == 1


def test_the_run_says_what_it_was_and_how_long_it_took() -> None:
    shown = replace(report(NOTHING), spending=Spending(80.0, 40.0, ()))
    labels = {"run": "20260102-030405", "lab": "bluegreen-lab", "service": "books", "seed": "7"}
    assert value(shown, "run_info", **labels, command="pytest features/chaos --seed 7") == 1
    assert value(shown, "run_seconds") == 40
    assert value(shown, "run_started_timestamp_seconds") == 1_700_000_000


def test_a_scenario_that_was_played_twice_has_two_samples() -> None:
    shown = report(FAULTY, replace(FAULTY, seconds=9, folder="02-first"))
    assert value(shown, "scenario_seconds", **of(FULL)) == 60
    assert value(shown, "scenario_seconds", **of(FULL), play="2") == 9


@pytest.mark.parametrize(
    "name", ['say "no"', "back\\slash", "two\nlines", "\\n", '{a="b"} 1', "é # EOF", "\x1b[31m"]
)
def test_any_name_is_read_back(name: str) -> None:
    found = samples(report(replace(NOTHING, name=name)))
    names = {dict(labels).get("scenario") for _, labels in found} - {None}
    assert names == {printable(name)}


def test_a_run_of_which_nothing_is_known_is_read() -> None:
    facts: dict[str, Any] = FACTS | {"started": None, "seed": None, "command": ""}
    assert samples(Report("x", facts, (), ()))


def test_every_number_of_a_scenario_has_a_family() -> None:
    fault = entry("fault", 1.0, id="f", phase="inject", name="kill", target="nginx", seconds=5)
    assert judge([], [fault], 0, "books").keys() - {"phases"} == openmetrics.NUMBERS.keys()


def test_judged_scenarios_are_read() -> None:
    assert samples(report(judged(FULL), judged(NOTHING)))


def test_two_names_that_are_written_alike_have_two_samples() -> None:
    told = report(replace(FULL, name="a\x1b"), replace(FULL, name="a\\x1b"))
    assert len([1 for name, _ in samples(told) if name == "bluegreen_lab_scenario_passed"]) == 2
