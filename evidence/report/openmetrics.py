"""The numbers of a run as OpenMetrics text, for tools that collect numbers. Pure.

Each number is a gauge, since a run that is over counts on no more. What was not seen has no sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evidence.entries import VERDICTS
from evidence.report.model import Report, Scenario
from lab.errors import printable

PREFIX = "bluegreen_lab"
GOOD = ("passed", "known limit")
# The numbers of measures.judge: the family's name, its unit, and what it says.
NUMBERS: Mapping[str, tuple[str, str, str]] = {
    "requests": ("requests", "", "Requests that users sent."),
    "failed": ("failed_requests", "", "Requests that were no success, the unknown ones among them."),
    "unknown": ("unknown_requests", "", "Failed requests that may have been done."),
    "longest_outage": ("longest_outage", "seconds", "The longest time without a success."),
    "stale": ("stale_answers", "", "Successes of a color that was not live."),
    "flapping": ("flapping_checks", "", "Checks of Consul that became critical more than once."),
    "first_failure_after": ("first_failure_after", "seconds", "From the fault to the first failed request."),
    "detected_after": ("detected_after", "seconds", "From the fault until Consul saw a check critical."),
    "recovered_after": ("recovered_after", "seconds", "From the fault to the last failed request's end."),
    "redundant_after": ("redundant_after", "seconds", "From the fault until nothing was missing any more."),
}
QUANTILES = {"0.5": "p50", "0.95": "p95", "0.99": "p99", "1": "max"}

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Family:
    """Samples under one name; the unit ends the name too. Labels are told apart, so none comes twice."""

    name: str
    unit: str
    help: str
    samples: Mapping[Labels, float]
    type: str = "gauge"

    @property
    def full_name(self) -> str:
        return "_".join(part for part in (PREFIX, self.name, self.unit) if part)


def render(report: Report) -> str:
    """The exposition of a whole run, up to its `# EOF`."""
    lines = [line for family in families(report) if family.samples for line in _lines(family)]
    return "\n".join([*lines, "# EOF", ""])


def families(report: Report) -> list[Family]:
    """Every family of a run, those without a sample included."""
    return [*_of_run(report), *_of_scenarios(report.scenarios)]


def _of_run(report: Report) -> Iterator[Family]:
    facts = {name: report.facts[name] for name in ("lab", "service", "seed", "command")}
    told = {"run": report.name} | {name: str(fact) for name, fact in facts.items() if fact is not None}
    yield Family("run", "", "What was run.", {tuple(told.items()): 1}, "info")
    started = report.facts["started"]
    begin: dict[Labels, float] = {} if started is None else {(): started}
    yield Family("run_started_timestamp", "seconds", "When the run began.", begin)
    words = [scenario.verdict for scenario in report.scenarios]
    counts: dict[Labels, float] = {(("verdict", word),): words.count(word) for word in VERDICTS}
    yield Family("scenarios", "", "Scenarios of the run by their verdict.", counts)
    clock: dict[Labels, float] = {(): report.spending.clock} if words else {}
    yield Family("run", "seconds", "From the first scenario's begin to the last one's end.", clock)


def _of_scenarios(scenarios: Iterable[Scenario]) -> Iterator[Family]:
    named = _named(scenarios)
    took: dict[Labels, float] = {labels: one.seconds for labels, one in named.items()}
    yield Family("scenario", "seconds", "How long the scenario took.", took)
    passed: dict[Labels, float] = {labels: one.verdict in GOOD for labels, one in named.items()}
    yield Family("scenario_passed", "", "1 for passed or a known limit, 0 for failed or cut.", passed)
    for key, (name, unit, text) in NUMBERS.items():
        found = {labels: one.judged.get(key) for labels, one in named.items()}
        seen: dict[Labels, float] = {labels: value for labels, value in found.items() if value is not None}
        yield Family(f"scenario_{name}", unit, text, seen)
    latencies = {
        (*labels, ("phase", str(phase["phase"])), ("quantile", quantile)): phase[key]
        for labels, one in named.items()
        for phase in _phases(one)
        for quantile, key in QUANTILES.items()
        if phase[key] is not None
    }
    text = "Latency before, during and after the fault, from when a request was due."
    yield Family("scenario_latency", "seconds", text, latencies)


def _named(scenarios: Iterable[Scenario]) -> dict[Labels, Scenario]:
    """Scenarios by their labels, the same ones in every run; one that was played again has a number too."""
    named: dict[Labels, Scenario] = {}
    plays: Counter[Labels] = Counter()
    for scenario in scenarios:
        # As they are written: two names may differ in what no terminal shows.
        labels: Labels = (("scenario", printable(scenario.name)), ("feature", printable(scenario.feature)))
        plays[labels] += 1
        again = (("play", str(plays[labels])),) if plays[labels] > 1 else ()
        named[(*labels, *again)] = scenario
    return named


def _phases(scenario: Scenario) -> list[dict[str, Any]]:
    return [phase for phase in scenario.judged.get("phases", ()) if phase["requests"]]


def _lines(family: Family) -> Iterator[str]:
    name = family.full_name
    yield f"# TYPE {name} {family.type}"
    if family.unit:
        yield f"# UNIT {name} {family.unit}"
    yield f"# HELP {name} {family.help}"
    suffix = "_info" if family.type == "info" else ""
    for labels, value in family.samples.items():
        said = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
        yield f"{name}{suffix}{{{said}}} {value:.12g}" if said else f"{name}{suffix} {value:.12g}"


def _escaped(text: str) -> str:
    """A label's value; what no terminal shows is an escape already."""
    return printable(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
