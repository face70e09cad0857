"""The page of a run's stories: one HTML file of slides that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

from evidence.report import page, story
from evidence.report.model import Report
from evidence.report.moments import HEALING, WHO, Moment, Span
from evidence.report.story import Story

MARKS = {"good": "✓", "bad": "✗", "plain": "●"}
MOST = {"listed": 12, "line": 18}  # moments of a slide, and of the time line
TICKS, STEPS = 6, (1, 2, 5, 10)
GAP = 0.86  # of a bar's width is drawn
ERROR = 400  # characters


@dataclass(frozen=True)
class Lane:
    """What one of WHO has on the time line; what lasted at the same time is in `rows` one above the other."""

    who: str
    rows: list[list[Span]]
    moments: tuple[Moment, ...]


@dataclass(frozen=True)
class Box:
    """A part of a bar, in percent of the picture: `kind` is served or lost, `y` is from above."""

    kind: str
    x: float
    y: float
    width: float
    height: float


def render(report: Report, wanted: str | None = None) -> str:
    """The slides of each scenario; of those with `wanted` in their name. Raises ConfigError when none has."""
    environment = page.environment()
    environment.filters |= {
        "boxes": boxes,
        "few": few,
        "lanes": lanes,
        "place": place,
        "spoken": spoken,
        "ticks": ticks,
    }
    return environment.get_template("slides.html.j2").render(
        report=report,
        facts=report.facts,
        stories=story.stories(report, wanted),
        marks=MARKS,
        verdicts=page.MARKS,
        most=MOST,
        error=ERROR,
    )


def few(moments: Sequence[Moment], most: int) -> tuple[Sequence[Moment], int, Sequence[Moment]]:
    """The first ones, how many are left out, and the last ones: how it began and how it ended."""
    if len(moments) <= most:
        return moments, 0, ()
    half = most // 2
    return moments[:half], len(moments) - 2 * half, moments[-half:]


def lanes(told: Story) -> Iterator[Lane]:
    """The lanes in which there is something, in the order of WHO."""
    for who in WHO:
        spans = tuple(one for one in told.spans if one.who == who)
        moments = tuple(one for one in told.moments if one.who == who)
        if spans or moments:
            yield Lane(who, rows(spans), moments)


def rows(spans: Sequence[Span]) -> list[list[Span]]:
    """The spans in as few rows as let none lie upon another."""
    found: list[list[Span]] = []
    for span in sorted(spans, key=lambda one: one.begin):
        row = next((row for row in found if _ended(row[-1], span.begin)), None)
        if row is None:
            found.append(row := [])
        row.append(span)
    return found


def _ended(span: Span, at: float) -> bool:
    return span.end is not None and span.end <= at


def spoken(told: Story) -> list[Moment]:
    """What the time line says in words: not the script's, which stand on the slide before it."""
    return [one for one in told.moments if one.who != HEALING]


def place(told: Story, at: float) -> float:
    """Where a moment of the clock is between the time line's left and right end, in percent of it."""
    return round(100 * min(1.0, max(0.0, (at - told.begin) / (told.end - told.begin))), 2)


def boxes(told: Story) -> Iterator[Box]:
    """The bars of the requests: what failed at the bottom, what was served above it."""
    tallest = max((bar.requests for bar in told.bars), default=1)
    for bar in told.bars:
        left = place(told, bar.at)
        width = round(GAP * (place(told, bar.at + bar.seconds) - left), 2)
        whole, lost = (round(100 * part / tallest, 2) for part in (bar.requests, bar.failed))
        if whole > lost:
            yield Box("served", left, round(100 - whole, 2), width, round(whole - lost, 2))
        if lost:
            yield Box("lost", left, round(100 - lost, 2), width, lost)


def ticks(told: Story) -> list[float]:
    """Round seconds between the clock's begin and end, TICKS or a few more."""
    found = MaxNLocator(nbins=TICKS, steps=list(STEPS)).tick_values(told.begin, told.end)
    return [float(one) for one in found if told.begin <= one <= told.end]
