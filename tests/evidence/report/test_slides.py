from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from evidence.entries import of
from evidence.report import model, slides, story
from evidence.report.model import Report, Scenario
from evidence.report.moments import FAULT, HEALING, WHO, Moment, Span
from lab.errors import ConfigError

from .test_page import Tags, report
from .test_pictures import NOTHING
from .test_story import HEALED, HEALING_RUN, OUTAGE, broken, played

FULL = played(*HEALING_RUN, users=OUTAGE)


class Page(Tags):
    """The page's tags; a figure's boxes close themselves."""

    VOID = Tags.VOID | {"rect"}

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def shown(*scenarios: Scenario, warnings: tuple[str, ...] = ()) -> str:
    return slides.render(report(*scenarios, warnings=warnings))


def test_the_page_needs_nothing_from_outside() -> None:
    text = shown(FULL, NOTHING)
    for tag, attributes in Page(text).seen:
        assert tag not in ("link", "iframe", "img")
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    assert "@import" not in text and "url(" not in text and "fetch" not in text


def test_a_scenario_is_seven_slides() -> None:
    text = shown(FULL)
    assert text.count('<section class="slide"') == 7
    for words in (HEALED.line, HEALED.felt.says, HEALED.noticed.says, HEALED.mended.says, "7 of 7"):
        assert words in text


def test_headings_are_in_order_and_the_language_is_said() -> None:
    seen = Page(shown(FULL, NOTHING)).seen
    levels = [int(tag[1]) for tag, _ in seen if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert ("html", {"lang": "en"}) in seen


def test_several_scenarios_have_a_way_to_each() -> None:
    text = shown(FULL, replace(NOTHING, name="Second", verdict="failed"))
    for words in ('href="#s1"', 'href="#s2"', 'id="s1"', 'id="s2"', "✗ failed", "✓ passed", "All scenarios"):
        assert words in text
    assert "All scenarios" not in shown(FULL)


def test_only_the_wanted_scenario_is_shown() -> None:
    run = report(FULL, replace(NOTHING, name="Second"))
    assert "First" not in slides.render(run, "second")
    with pytest.raises(ConfigError):
        slides.render(run, "third")


def test_odd_words_are_text_never_tags() -> None:
    odd = "<script>x</script>&\x1b[31m\u202e"
    entries = [
        of("step", 109.0, phase="begin", text=f"When {odd}"),
        *broken(odd, on=odd, key="f"),
        of("log", 111.0, node=odd, source="watchers.log", text=odd),
        of("swarm", 111.0, container=odd, node=odd, now=odd),
        of("jenkins", 112.0, job=odd, build=1, now=odd),
        of("consul", 112.0, color_of="books", now=odd),
    ]
    wild = replace(played(*entries, users=OUTAGE), name=odd, feature=odd, error=odd, verdict="failed")
    text = shown(wild, wild, warnings=(odd,))
    Page(text)
    assert text.count("<script>") == 1 and "&lt;script&gt;x" in text
    assert "\x1b" not in text and "\u202e" not in text and "\\x1b" in text


@pytest.mark.parametrize("scenarios", [(), (NOTHING,), (played(*broken(end=None)),)])
def test_a_run_with_little_in_it_has_a_page(scenarios: tuple[Scenario, ...]) -> None:
    text = shown(*scenarios, warnings=("the journal is empty",))
    Page(text)
    assert "the journal is empty" in text


def test_a_run_of_which_nothing_is_known_has_a_page() -> None:
    facts: dict[str, Any] = {name: otherwise for name, (_, otherwise) in model.FACTS.items()}
    text = slides.render(Report("x", facts, (), ("run.json cannot be read",)))
    Page(text)
    assert "Nothing happened that could be told" in text and "run.json cannot be read" in text


def test_many_warnings_are_counted() -> None:
    assert "and 38 more" in shown(warnings=tuple(f"line {n}" for n in range(50)))


def test_a_long_error_is_cut() -> None:
    text = shown(replace(FULL, verdict="failed", error="x" * 5000))
    assert "x" * slides.ERROR + "…" in text and "x" * (slides.ERROR + 1) not in text


def test_of_many_moments_the_first_and_the_last_are_told() -> None:
    many = [Moment(float(n), FAULT, str(n)) for n in range(30)]
    head, left_out, tail = slides.few(many, 12)
    assert ([one.text for one in (*head, *tail)], left_out) == (
        ["0", "1", "2", "3", "4", "5", "24", "25", "26", "27", "28", "29"],
        18,
    )
    assert slides.few(many[:12], 12) == (many[:12], 0, ())


def test_the_lanes_are_those_in_which_something_happened() -> None:
    assert [lane.who for lane in slides.lanes(HEALED)] == [who for who in WHO if who != "Scenario"]
    assert HEALING not in {one.who for one in slides.spoken(HEALED)}


def test_what_lasts_at_the_same_time_lies_in_rows() -> None:
    first, second, third = (Span(FAULT, at, end, "") for at, end in ((0, 5), (1, None), (5, 9)))
    assert slides.rows([third, second, first]) == [[first, third], [second]]


def test_a_moment_outside_of_the_clock_is_at_its_end() -> None:
    assert slides.place(HEALED, HEALED.begin) == 0
    assert slides.place(HEALED, HEALED.end) == slides.place(HEALED, 1e9) == 100
    assert all(HEALED.begin <= tick <= HEALED.end for tick in slides.ticks(HEALED))


def test_the_boxes_are_as_high_as_their_requests() -> None:
    told = replace(HEALED, bars=(story.Bar(0.0, 1, 10, 4), story.Bar(1.0, 1, 5, 5), story.Bar(2.0, 1, 5, 0)))
    boxes = [(box.kind, box.y, box.height) for box in slides.boxes(told)]
    assert boxes == [("served", 0, 60), ("lost", 60, 40), ("lost", 50, 50), ("served", 50, 50)]
