from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from evidence.measures import FaultWindow, judge
from evidence.report import model, page
from evidence.report.model import Event, Report, Scenario, Step
from evidence.spending import WAITS, Row, Spending

from .test_pictures import FULL, NOTHING

pytestmark = pytest.mark.usefixtures("drawn_once")
FACTS: dict[str, Any] = {
    "lab": "bluegreen-lab",
    "service": "books",
    "started": 1_700_000_000.0,
    "command": "pytest features/chaos --seed 7",
    "seed": 7,
    "check_interval": 10,
    "versions": {"pytest": "9"},
}


def report(*scenarios: Scenario, warnings: tuple[str, ...] = ()) -> Report:
    return Report("20260102-030405", FACTS, scenarios, warnings)


def judged(scenario: Scenario) -> Scenario:
    return replace(scenario, judged=judge(scenario.answers, [], scenario.begin, "books"))


ENDLESS = (FaultWindow("f", "", "", 1, None, None, "x"),)


class Tags(HTMLParser):
    """Every tag and its attributes; fails on one that is not closed."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_from_outside() -> None:
    text = page.render(report(judged(FULL)))
    for tag, attributes in Tags(text).seen:
        assert tag not in ("script", "link", "iframe")
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/svg+xml;base64,"))
    assert "@import" not in text and "url(" not in text


def test_the_page_tells_seed_command_and_counts() -> None:
    text = page.render(report(judged(FULL), replace(judged(FULL), verdict="known limit")))
    for words in ("seed 7", "pytest features/chaos --seed 7", "≈ 1 known limit", "✓ 1 passed"):
        assert words in text


def test_names_and_errors_are_text_never_tags() -> None:
    wild = replace(judged(FULL), name="<b>&", error="<script>x", verdict="failed")
    text = page.render(report(wild))
    assert "<script>x" not in text and "&lt;script&gt;x" in text and "&lt;b&gt;&amp;" in text


def test_a_failed_scenario_shows_its_steps_at_once() -> None:
    step = (Step(101.0, "Then no request fails", "failed"),)
    assert "<details open>" in page.render(report(replace(judged(FULL), verdict="failed", steps=step)))
    assert "<details open>" not in page.render(report(replace(judged(FULL), steps=step)))


def test_events_and_faults_are_listed_on_the_pictures_clock() -> None:
    scenario = replace(judged(FULL), events=(Event(104.5, "log", "m: hello", "hello", "plain"),))
    text = page.render(report(scenario))
    assert "+2.5 s" in text and "m: hello" in text
    assert re.search(r"28\.0 s</td>\s*<td class=\"n\">5\.0 s", text)


@pytest.mark.parametrize(
    "scenarios",
    [(), (NOTHING,), (judged(NOTHING),), (replace(NOTHING, faults=ENDLESS),)],
    ids=["no scenario", "nothing known", "no request", "a fault without an end"],
)  # fmt: skip
def test_a_run_with_little_in_it_has_a_page(scenarios: tuple[Scenario, ...]) -> None:
    text = page.render(report(*scenarios, warnings=("the journal is empty",)))
    Tags(text)
    assert "the journal is empty" in text


def test_a_run_of_which_nothing_is_known_has_a_page() -> None:
    facts = {name: otherwise for name, (_, otherwise) in model.FACTS.items()}
    Tags(page.render(Report("x", facts, (), ("run.json cannot be read",))))


def test_the_page_tells_where_the_time_went() -> None:
    rows = (Row(WAITS, "", 2, 20.0, 20.0, 0.25), Row(WAITS, "<b> to end", 2, 20.0, 20.0, 0.25))
    text = page.render(replace(report(judged(FULL)), spending=Spending(80.0, 40.0, rows)))
    Tags(text)
    for words in ("Where the time went", "80 s of all labs", "40 s by the clock", "&lt;b&gt; to end", "25%"):
        assert words in text


def test_a_run_in_which_no_scenario_began_does_not_tell_where_the_time_went() -> None:
    assert "Where the time went" not in page.render(report())


def test_many_warnings_are_counted() -> None:
    text = page.render(report(warnings=tuple(f"line {n}" for n in range(50))))
    assert "and 38 more" in text


@pytest.mark.parametrize(
    ("key", "judged", "cell"),
    [
        ("failed", {"failed": 5, "unknown": 2}, "5"),
        ("longest_outage", {"longest_outage": 12.345}, "12.3 s"),
        ("detected_after", {"detected_after": None}, "not seen"),
        ("detected_after", {}, page.NONE),
        ("requests", {"requests": 0}, "0"),
    ],
)
def test_a_cell_says_when_a_number_was_not_seen(key: str, judged: dict[str, Any], cell: str) -> None:
    assert page.number(replace(NOTHING, judged=judged), key) == cell
