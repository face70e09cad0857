"""The page of a run: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import time
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from evidence import measures, spending
from evidence.report import pictures
from evidence.report.model import Report, Scenario
from lab.errors import printable

MARKS = {"passed": "✓", "known limit": "≈", "failed": "✗", "cut": "✂"}
NONE = "\N{EN DASH}"
# The columns of the table, and the number each one shows.
COLUMNS = {
    "requests": "requests",
    "failed": "failed",
    "longest outage": "longest_outage",
    "Consul saw it": "detected_after",
    "served again": "recovered_after",
    "whole again": "redundant_after",
}


def environment() -> Environment:
    """Where templates are read, and what they can say: no text is markup, and each of it can be shown."""
    made = Environment(
        loader=PackageLoader("evidence.report", "."),
        autoescape=select_autoescape(["html", "j2"]),
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"clock": clock, "number": number, "seconds": seconds}
    return made


def _shown(value: Any) -> Any:
    # What a macro made is Markup: its texts were shown so already.
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def render(report: Report) -> str:
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            facts=report.facts,
            scenarios=[
                (f"s{place}", scenario, _address(pictures.timeline(scenario)))
                for place, scenario in enumerate(report.scenarios, 1)
            ],
            bars=_address(pictures.bars(report.spending.rows)) if report.spending.rows else "",
            spent_columns=spending.COLUMNS,
            counts=counts(report),
            marks=MARKS,
            columns=COLUMNS,
            zero=pictures.zero,
            says=says,
        )
    )


def _address(picture: str) -> str:
    """A picture as an address that holds it: its ids cannot meet those of another one on the page."""
    return "data:image/svg+xml;base64," + base64.b64encode(picture.encode()).decode()


def counts(report: Report) -> dict[str, int]:
    """How many scenarios of each verdict, the bad ones first."""
    words = [scenario.verdict for scenario in report.scenarios]
    return {word: words.count(word) for word in ("failed", "cut", "known limit", "passed") if word in words}


def says(scenario: Scenario) -> str:
    return measures.says(scenario.answers) if scenario.answers else scenario.without


def clock(moment: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment)) if moment else "unknown"


def seconds(value: Any) -> str:
    """A span for a reader: 0.35 ms steps do not matter, 12.3 s does."""
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.1f} s"


def number(scenario: Scenario, key: str) -> str:
    """One cell: a span in seconds, "not seen" when it was looked for, NONE when it does not apply."""
    if key not in scenario.judged:
        return NONE
    value = scenario.judged[key]
    if value is None:
        return "not seen"
    return f"{value:.1f} s" if key in ("longest_outage",) or key.endswith("_after") else str(value)
