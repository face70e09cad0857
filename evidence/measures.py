"""What answers and journal entries say: pure functions.

Moments are seconds of the wall clock, spans are seconds. "Could not tell" is None, and never a pass.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from evidence.answers import Answer
from evidence.entries import CheckChange, ColorChange, ContainerChange, Entry, FaultPhase, is_number

JUST_REPLACED = 5.0  # seconds in which old and new color may both answer around a change


# --- answers ----------------------------------------------------------------------------------------------


def failures(answers: Iterable[Answer]) -> list[Answer]:
    """Those that were no success, also those of which it could not be told."""
    return [answer for answer in answers if answer.failed]


def longest_outage(answers: Sequence[Answer]) -> float:
    """Seconds from the first failed request of the longest failed run to the next success.

    A run that lasts to the end counts up to its last request's end.
    """
    longest = 0.0
    began: float | None = None
    for answer in answers:
        if answer.failed:
            began = answer.planned if began is None else began
            longest = max(longest, answer.finished - began)
        elif began is not None:
            longest = max(longest, answer.planned - began)
            began = None
    return longest


def first_failure_after(answers: Iterable[Answer], moment: float) -> float | None:
    """Seconds from a moment to the first request due since that failed; one under way then counts as 0."""
    failed = [answer.planned for answer in answers if answer.failed and answer.finished >= moment]
    return max(0.0, min(failed) - moment) if failed else None


def recovered_after(answers: Sequence[Answer], moment: float) -> float | None:
    """Seconds from a moment to the end of the last failure since; 0 without any, None when it never ended."""
    since = [answer for answer in answers if answer.finished >= moment]
    if not since or since[-1].failed:
        return None
    return max((answer.finished for answer in failures(since)), default=moment) - moment


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the ordered values do not exceed; 0 of none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


@dataclass(frozen=True)
class Latency:
    """How long the requests of one phase took, in seconds, failed ones included."""

    phase: str
    requests: int
    failed: int
    p50: float
    p95: float
    p99: float
    max: float


def latency(phase: str, answers: Sequence[Answer]) -> Latency:
    took = sorted(answer.latency for answer in answers)
    p50, p95, p99 = (round(quantile(took, share), 4) for share in (0.5, 0.95, 0.99))
    return Latency(
        phase, len(answers), len(failures(answers)), p50, p95, p99, round(took[-1] if took else 0.0, 4)
    )


def phases(answers: Sequence[Answer], begin: float | None, end: float | None) -> list[Latency]:
    """Before, during and after a fault, by the moment a request was due; without a fault one phase, "all"."""
    if begin is None:
        return [latency("all", answers)]
    until = end if end is not None else math.inf
    parts = {
        "before": [answer for answer in answers if answer.planned < begin],
        "during": [answer for answer in answers if begin <= answer.planned < until],
        "after": [answer for answer in answers if answer.planned >= until],
    }
    return [latency(phase, part) for phase, part in parts.items()]


def turns(answers: Iterable[Answer]) -> list[tuple[str, str]]:
    """The (release, color) pairs that answered, in order, each run once."""
    seen: list[tuple[str, str]] = []
    for answer in answers:
        who = (answer.release, answer.color)
        if not answer.failed and (not seen or seen[-1] != who):
            seen.append(who)
    return seen


def stale(answers: Iterable[Answer], live: Sequence[tuple[float, str]]) -> list[Answer]:
    """Successes of a color that was not live, nor replaced or taken over JUST_REPLACED around the answer.

    `live` are the moments a color was seen to become live, in order; the first one holds since ever.
    """
    if not live:
        return []
    spans = [
        (begin if index else -math.inf, until, color)
        for index, ((begin, color), (until, _)) in enumerate(pairwise([*live, (math.inf, "")]))
    ]

    def allowed(answer: Answer) -> bool:
        return any(
            color == answer.color
            and begin - JUST_REPLACED <= answer.finished
            and answer.sent <= until + JUST_REPLACED
            for begin, until, color in spans
        )

    return [answer for answer in answers if not answer.failed and answer.color and not allowed(answer)]


def lost(acknowledged: Iterable[str], present: Iterable[str]) -> list[str]:
    """The ids that were acknowledged and are not there."""
    return sorted(set(acknowledged) - set(present))


def says(answers: Sequence[Answer]) -> str:
    """One line for a person: how many asked, failed, and the longest outage."""
    bad = failures(answers)
    kinds = ", ".join(sorted({answer.error or "" for answer in bad}))
    tail = f" ({kinds}), longest outage {longest_outage(answers):.2f} s" if bad else ""
    return f"{len(answers)} requests, {len(bad)} failed{tail}"


# --- entries of a journal ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class FaultWindow:
    """One fault: when it began, when it was to end at the latest and when it was seen to have ended."""

    id: str
    name: str
    target: str
    begin: float
    planned_end: float | None
    end: float | None
    outcome: str  # the last phase the journal has: injected, healed, unknown, failed, ...


def faults(entries: Iterable[Entry]) -> list[FaultWindow]:
    """The faults of a journal in the order they began; also one of which only the intent was written."""
    by_id: dict[str, list[FaultPhase]] = {}
    for entry in entries:
        if isinstance(entry, FaultPhase):
            by_id.setdefault(entry.id, []).append(entry)
    return sorted((_window(phases) for phases in by_id.values()), key=lambda window: window.begin)


def _window(phases: Sequence[FaultPhase]) -> FaultWindow:
    # What was written ahead is the beginning: users may feel a fault before its injection is reported done.
    first = phases[0]
    healed = next((one.at for one in phases if one.phase == "healed"), None)
    planned = first.deadline or (first.at + first.seconds if first.seconds else None)
    if planned is not None and planned < first.at:
        planned = None  # no fault ends before it begins
    target = ", ".join(first.on or ()) or first.target or ""
    return FaultWindow(first.id, first.name or "", target, first.at, planned, healed, phases[-1].phase)


def live_colors(entries: Iterable[Entry], service: str) -> list[tuple[float, str]]:
    """The moments at which a service's color was seen to change."""
    return [
        (entry.at, entry.now)
        for entry in entries
        if isinstance(entry, ColorChange) and entry.color_of == service and entry.now
    ]


def detected_after(entries: Iterable[Entry], moment: float) -> float | None:
    """Seconds from a moment until Consul saw some check become critical."""
    seen = [entry.at for entry in checks(entries) if entry.at >= moment and entry.now == "critical"]
    return min(seen) - moment if seen else None


def checks(entries: Iterable[Entry]) -> list[CheckChange]:
    return [entry for entry in entries if isinstance(entry, CheckChange)]


def redundant_after(entries: Iterable[Entry], moment: float) -> float | None:
    """Seconds from a moment until nothing was missing any more: 0 when nothing was, None when it still is.

    Missing is a check of Consul that does not pass and passed at that moment, and a part of a service (its
    database, a container of either color) of which fewer run than at that moment.
    """
    state: dict[tuple[str, str], str] = {}
    before: dict[str, int] | None = None
    whole: float | None = moment
    for entry in entries:
        if not isinstance(entry, CheckChange | ContainerChange):
            continue
        if before is None and entry.at >= moment:
            before = _well(state)
        state[_subject(entry)] = entry.now
        if before is not None:
            now = _well(state)
            missing = any(now[part] < count for part, count in before.items())
            whole = None if missing else entry.at if whole is None else whole
    return None if whole is None else whole - moment


def _subject(entry: CheckChange | ContainerChange) -> tuple[str, str]:
    """The check, or the container on its node, that an entry tells of."""
    return ("check", entry.name) if isinstance(entry, CheckChange) else (entry.node, entry.container)


def _well(state: Mapping[tuple[str, str], str]) -> dict[str, int]:
    """How many of each check pass and of each part run; both colors of a service are one part."""
    counts: dict[str, int] = {}
    for (_, name), now in state.items():
        part = re.sub(r"_(blue|green)_", "_color_", name)
        counts[part] = counts.get(part, 0) + (now in ("passing", "running"))
    return counts


def flapping(entries: Iterable[Entry]) -> dict[str, int]:
    """The checks that went from passing to critical more than once, and how often."""
    fell = [one.name for one in checks(entries) if (one.was, one.now) == ("passing", "critical")]
    counts = {name: fell.count(name) for name in fell}
    return {check: count for check, count in counts.items() if count > 1}


# --- a scenario as a whole --------------------------------------------------------------------------------


def judge(answers: Sequence[Answer], entries: Sequence[Entry], begin: float, service: str) -> dict[str, Any]:
    """The numbers of a scenario that began at `begin`, from its answers and the run's entries up to its end.

    {"requests": 900, "failed": 3, "unknown": 1, "longest_outage": 1.2, "stale": 0, "flapping": 0,
    "first_failure_after": 0.1, "detected_after": 8.0, "recovered_after": 12.1, "redundant_after": 14.9,
    "phases": [{"phase": "before", "requests": ..., "failed": ..., "p50": ..., ...}, ...]}. Those from
    first_failure_after to redundant_after are there only when there was a fault; None is "not seen".
    Of those that failed, the unknown ones may have been done.
    """
    own = [entry for entry in entries if entry.at >= begin]
    numbers: dict[str, Any] = {
        "requests": len(answers),
        "failed": len(failures(answers)),
        "unknown": sum(answer.outcome == "unknown" for answer in answers),
        "longest_outage": longest_outage(answers),
        "stale": len(stale(answers, live_colors(entries, service))),
        "flapping": len(flapping(own)),
    }
    windows = faults(own)
    first = windows[0].begin if windows else None
    end: float | None = None
    if first is not None:
        recovered = recovered_after(answers, first)
        numbers |= {
            "first_failure_after": first_failure_after(answers, first),
            "detected_after": detected_after(own, first),
            "recovered_after": recovered,
            "redundant_after": redundant_after(entries, first),
        }
        end = phase_end(windows, first, recovered)
    numbers["phases"] = [
        {key: getattr(phase, key) for key in Latency.__dataclass_fields__}
        for phase in phases(answers, first, end)
    ]
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in numbers.items()}


def is_sound(judged: Mapping[str, Any]) -> bool:
    """Whether this can be what `judge` returned: each number is one, or None, and so is each of a phase's.

    Requests were counted, and no more of them failed than there were.
    """
    latencies = judged.get("phases")
    if not isinstance(latencies, list) or not all(isinstance(one, dict) for one in latencies):
        return False
    fields = Latency.__dataclass_fields__.keys()
    if not all(one.keys() == fields for one in latencies):
        return False
    numbers = [value for key, value in judged.items() if key != "phases"]
    numbers += [value for one in latencies for key, value in one.items() if key != "phase"]
    return (
        all(value is None or is_number(value) for value in numbers)
        and all(_is_counted(one) for one in (judged, *latencies))
        and len({str(one["phase"]) for one in latencies}) == len(latencies)
    )


def _is_counted(told: Mapping[str, Any]) -> bool:
    requests, failed = told.get("requests"), told.get("failed")
    return isinstance(requests, int) and isinstance(failed, int) and failed <= requests


def phase_end(windows: Sequence[FaultWindow], first: float, recovered: float | None) -> float | None:
    """Where "during" ends: every fault was undone and users were served again, whichever came later."""
    undone = [window.end for window in windows if window.end is not None]
    served = first + recovered if recovered is not None else None
    known = [moment for moment in (*undone, served) if moment is not None]
    return max(known) if served is not None and known else None
