"""The numbers of a run as Markdown, for the page of a CI's job. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evidence.report import page
from evidence.report.model import Report, Scenario
from lab.errors import printable

BAD = ("failed", "cut")
MOST_ERROR = 1500  # characters of one error: a job's page takes 1 MiB
MOST_WARNINGS = 12
MARKUP = re.compile(r"([\\`*_\[\]<>|~&$#@])")


def render(report: Report) -> str:
    """Counts, a table with what failed first, the errors, and the command that repeats the run."""
    blocks = [f"## {text(report.facts['lab'])}, run {text(report.name)}", _counts(report)]
    if report.scenarios:
        blocks.append("\n".join(_table(report)))
    blocks += [_error(scenario) for scenario in report.scenarios if scenario.error]
    if report.facts["command"]:
        blocks.append("Again:\n\n" + code(report.facts["command"]))
    blocks += [f"- {text(warning)}" for warning in report.warnings[:MOST_WARNINGS]]
    return "\n\n".join(blocks) + "\n"


def _counts(report: Report) -> str:
    words = [f"{page.MARKS[word]} {count} {word}" for word, count in page.counts(report).items()]
    if report.scenarios:
        words.append(f"{report.spending.clock:.0f} s by the clock")
    if report.facts["seed"] is not None:
        words.append(f"seed {text(str(report.facts['seed']))}")
    return ", ".join(words) or "nothing was played"


def _table(report: Report) -> Iterator[str]:
    columns = ["scenario", "verdict", "took", *page.COLUMNS]
    yield _row(columns)
    yield _row(["---", "---", *["--:"] * (len(columns) - 2)])
    for scenario in sorted(report.scenarios, key=lambda one: one.verdict not in BAD):
        numbers = [page.number(scenario, key) for key in page.COLUMNS.values()]
        verdict = f"{page.MARKS[scenario.verdict]} {scenario.verdict}"
        yield _row([text(scenario.name), verdict, f"{scenario.seconds:.0f} s", *map(text, numbers)])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _error(scenario: Scenario) -> str:
    cut = scenario.error[:MOST_ERROR]
    return f"**{text(scenario.name)}**\n\n{code(cut)}"


def text(words: str) -> str:
    """Words on one line that mean what they say: no character of theirs is markup."""
    return MARKUP.sub(r"\\\1", " ".join(printable(words).split()))


def code(words: str) -> str:
    """A block that no fence in the words closes."""
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", words))])
    return f"{fence}text\n{printable(words)}\n{fence}"
