"""What happened in a scenario, as moments and spans of one clock, in words for a learner. Pure.

The clock's 0 is the first fault, or the first request where nothing was broken.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evidence.entries import (
    BAD,
    STAMP,
    CheckChange,
    ColorChange,
    ContainerChange,
    FaultPhase,
    LogLine,
    Seen,
    Silence,
    StepPhase,
)
from evidence.measures import FaultWindow
from evidence.report import pictures
from evidence.report.model import Build, Scenario

USERS, FAULT, DONE, CONSUL, SWARM, HEALING, JENKINS, COLOR = (
    *("Users", "Fault", "Scenario", "Consul", "Swarm", "Healing script", "Jenkins", "Live color"),
)
WHO = (USERS, FAULT, DONE, CONSUL, SWARM, HEALING, JENKINS, COLOR)  # in the order of the time line
WATCHED = {"consul": CONSUL, "swarm": SWARM, "jenkins": JENKINS}  # kind of an entry -> who
HEALING_LOG = "watchers.log"
KEYWORD = re.compile(r"^(Given|When|Then|And|But) +")
DURATION = re.compile(r" for (up to )?[0-9.]+ seconds?$")
TOGETHER = 1.0  # seconds: what becomes of a node's containers within it is one moment
RESULT = re.compile(r": build ([0-9]+): \w+$")  # what the script says of a build that ended
MOST_TEXT = 140  # characters of a line of a log
UNDONE = "the fault is undone by those who made it"
CHECKS = {"passing": "passes", "warning": "warns", "critical": "fails (critical)", "": "is gone"}
CONTAINERS = {"running": "running", "exited": "stopped", "dead": "stopped", "": "not seen any more"}


@dataclass(frozen=True)
class Moment:
    """Something that happened: `at` is in seconds of the clock, `who` of WHO, `mood` good, bad or plain."""

    at: float
    who: str
    text: str
    mood: str = "plain"


@dataclass(frozen=True)
class Span:
    """Something that lasted, in seconds of the clock; `end` is None when its end was not seen."""

    who: str
    begin: float
    end: float | None
    text: str
    mood: str = "plain"


class Clock:
    """A scenario by its clock, and what several slides ask of it."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.zero = pictures.zero(scenario)
        self.faults = scenario.faults
        self.builds = [build for build in scenario.builds if build.begin >= self.zero]
        self.colors = [(at, color) for at, color in scenario.live if at >= self.zero]

    def number(self, key: str) -> Any:
        """A number of the report; None when it was not seen."""
        return self.scenario.judged.get(key)

    @property
    def asked(self) -> bool:
        """Whether users asked and it is known how that went."""
        return bool(self.number("requests")) and self.number("failed") is not None

    @property
    def hurt(self) -> bool:
        """Whether a request failed; of one after the fault, where there was a fault."""
        after = self.scenario.judged.get("first_failure_after", 0.0)
        return self.asked and bool(self.number("failed")) and not (self.faults and after is None)

    @property
    def served_again(self) -> float | None:
        """When users were served again, on the clock; None when that was not seen, or never needed."""
        again: float | None = self.number("recovered_after")
        return again if self.hurt else None

    @property
    def live_before(self) -> str:
        """The color that was live at 0; empty when that was not seen."""
        return next((color for at, color in reversed(self.scenario.live) if at < self.zero), "")

    @property
    def live_now(self) -> str:
        return self.colors[-1][1] if self.colors else self.live_before

    def broken(self, fault: FaultWindow) -> str:
        """What was broken, in the words of the step that did it; without one, the fault's name and target."""
        begun = [one for one in self.scenario.entries if isinstance(one, StepPhase) and one.at <= fault.begin]
        if begun and begun[-1].phase == "begin":
            return DURATION.sub("", sentence(begun[-1].text))
        name = fault.name or "a fault of an unknown kind"
        return f"{name} on {fault.target}" if fault.target else name

    def undone_from(self, fault: FaultWindow) -> float:
        """When a fault began to end, on the clock: by an undo, or at its deadline; infinite: it did not."""
        phases = [one for one in self.scenario.entries if isinstance(one, FaultPhase) and one.id == fault.id]
        ends = [one.at for one in phases if one.phase in ("heal", "healed")]
        ends += [fault.planned_end] if fault.planned_end is not None else []
        return min(ends, default=math.inf) - self.zero

    def done(self) -> list[Moment]:
        """The steps that do something: those of When, and each And that follows one."""
        found, keyword = [], ""
        for step in self.scenario.steps:
            word = step.text.split(" ", 1)[0]
            keyword = word if word in ("Given", "When", "Then") else keyword
            if keyword == "When":
                found.append(Moment(step.at - self.zero, DONE, sentence(step.text)))
        return found


def sentence(step: str) -> str:
    """A step without its keyword."""
    return KEYWORD.sub("", step)


# --- moments ------------------------------------------------------------------------------------------------


def own(clock: Clock) -> Iterator[Moment]:
    """What was done to the lab, and when users began and ceased to feel it."""
    for fault in clock.faults:
        yield Moment(fault.begin - clock.zero, FAULT, clock.broken(fault), "bad")
    yield from undone(clock)
    if not clock.faults:
        yield from (moment for moment in clock.done() if moment.at >= 0)
    first = clock.number("first_failure_after")
    if first is not None:
        yield Moment(first, USERS, "the first request fails", "bad")
    if clock.served_again is not None:
        yield Moment(clock.served_again, USERS, "the last failure ends: served again", "good")


def undone(clock: Clock) -> Iterator[Moment]:
    for fault in clock.faults:
        if fault.end is not None:
            yield Moment(fault.end - clock.zero, FAULT, UNDONE, "good")


def seen(clock: Clock) -> tuple[list[Moment], list[Moment]]:
    """What was seen since 0: what shows that something is broken, and all else. Both in order."""
    noticed: list[Moment] = []
    changed = [_build(clock, build) for build in clock.builds]
    for entry in clock.scenario.entries:
        if not isinstance(entry, Seen) or entry.first or entry.at < clock.zero:
            continue
        moment = _moment(entry, entry.at - clock.zero)
        if moment is not None and not _is_told(clock, moment):
            shows = isinstance(entry, CheckChange | Silence) and entry.now in BAD - {""}
            (noticed if shows else changed).append(moment)
    for moment, shows in _containers(clock):
        (noticed if shows else changed).append(moment)
    return sorted(noticed, key=lambda one: one.at), sorted(changed, key=lambda one: one.at)


def _moment(entry: Seen, at: float) -> Moment | None:
    """A moment of one entry; None for what has none of its own."""
    if isinstance(entry, CheckChange):
        what = entry.service or f"the node {entry.node}"
        text = f"the check of {what} {CHECKS.get(entry.now, f'is {entry.now}')}"
        return Moment(at, CONSUL, text, entry.mood() if entry.now else "plain")
    if isinstance(entry, Silence):
        return Moment(at, WATCHED[entry.kind], f"{entry.who} {entry.now}", entry.mood())
    if isinstance(entry, ColorChange) and entry.now:
        return Moment(at, COLOR, f"{entry.now} is live for {entry.color_of}")
    if isinstance(entry, LogLine) and entry.source.endswith(HEALING_LOG) and entry.short():
        return Moment(at, HEALING, STAMP.sub("", entry.text)[:MOST_TEXT])
    return None


def _is_told(clock: Clock, moment: Moment) -> bool:
    """Whether it is a build's result that Jenkins was seen to tell itself."""
    found = RESULT.search(moment.text) if moment.who == HEALING else None
    ended = {build.number for build in clock.builds if build.end is not None}
    return found is not None and int(found[1]) in ended


def _build(clock: Clock, build: Build) -> Moment:
    """A build at its end, or at its begin when its end was not seen."""
    name = f"build {build.number} of {build.job}"
    begin = build.begin - clock.zero
    if build.end is None:
        return Moment(begin, JENKINS, f"{name} begins; its end was not seen")
    mood = "good" if build.result == "SUCCESS" else "bad"
    return Moment(build.end - clock.zero, JENKINS, f"{name}: {build.result} (began at {begin:.1f} s)", mood)


def _containers(clock: Clock) -> Iterator[tuple[Moment, bool]]:
    """What Swarm saw of containers, those of a node at once together; and whether a fault hit them."""
    hit = {one for fault in clock.faults for one in fault.target.split(", ")}
    # Later, a container that stops was cleared away.
    until = math.inf if clock.served_again is None else clock.served_again
    found: dict[tuple[str, str, int, bool], list[ContainerChange]] = {}
    for entry in clock.scenario.entries:
        if isinstance(entry, ContainerChange) and not entry.first and entry.at >= clock.zero:
            is_hit = entry.node in hit or f"{entry.container} on {entry.node}" in hit
            shows = is_hit and entry.mood() == "bad" and entry.at - clock.zero <= until
            if entry.now != "created":
                second = int((entry.at - clock.zero) / TOGETHER)
                found.setdefault((entry.node, entry.now, second, shows), []).append(entry)
    for (node, now, _, shows), entries in found.items():
        names = ", ".join(one.container for one in entries)
        text = f"{CONTAINERS.get(now, now)}: {names} on {node}"
        # What stops without a fault that hit it was stopped by a deployment: no bad sign.
        mood = "bad" if shows else "good" if now == "running" else "plain"
        yield Moment(entries[0].at - clock.zero, SWARM, text, mood), shows


# --- spans --------------------------------------------------------------------------------------------------


def spans(clock: Clock) -> Iterator[Span]:
    """What lasted: faults, requests failing, builds, and how long each color was live."""
    zero = clock.zero
    for fault in clock.faults:
        end = fault.end - zero if fault.end is not None else None
        yield Span(FAULT, fault.begin - zero, end, fault.name, "bad")
    yield from _users(clock)
    for build in clock.builds:
        mood = "good" if build.result == "SUCCESS" else "plain" if build.end is None else "bad"
        end = build.end - zero if build.end is not None else None
        yield Span(JENKINS, build.begin - zero, end, f"build {build.number}", mood)
    yield from _colors(clock)


def _users(clock: Clock) -> Iterator[Span]:
    """From the first failure after the fault to the last one; or that there was none."""
    first, answers = clock.number("first_failure_after"), clock.scenario.answers
    if clock.hurt and first is not None:
        yield Span(USERS, first, clock.served_again, "requests fail", "bad")
    elif answers and clock.number("failed") == 0:
        begin, end = answers[0].planned - clock.zero, answers[-1].finished - clock.zero
        yield Span(USERS, begin, end, "no request fails", "good")


def _colors(clock: Clock) -> Iterator[Span]:
    begin = pictures.span(clock.scenario)[0] - clock.zero
    live = [(begin, clock.live_before)] if clock.live_before else []
    live += [(at - clock.zero, color) for at, color in clock.colors]
    ends = [at for at, _ in live[1:]] + [None]
    for (at, color), end in zip(live, ends, strict=False):
        yield Span(COLOR, at, end, color)
