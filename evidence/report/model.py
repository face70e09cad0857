"""A run's folder as records, ready to be drawn and shown; and the same as plain data.

Nothing here needs a lab. What is missing or broken in a folder is a warning in the report, never a guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from evidence import files, journal, measures, runs, spending
from evidence.answers import Answer
from evidence.entries import (
    TEXT,
    BuildChange,
    Entry,
    EvidenceKept,
    LabPhase,
    ProbeBegan,
    ScenarioBegan,
    ScenarioEnded,
    Seen,
    StepPhase,
    is_number,
)
from evidence.measures import FaultWindow
from evidence.spending import Spending
from lab.errors import ConfigError, LabError, nearest, shown

CUT = "cut"
LANES = ("consul", "swarm", "jenkins", "log")
MOST_EVENTS = 400  # of one scenario and lane: a page is for reading


@dataclass(frozen=True)
class Event:
    """Something that was seen: when, in which lane, in words; `mood` is good, bad or plain.

    `short` is for the picture, where room is scarce.
    """

    at: float
    lane: str
    text: str
    short: str
    mood: str


@dataclass(frozen=True)
class Build:
    """A build of Jenkins; `end` is None when its end was not seen."""

    job: str
    number: int
    begin: float
    end: float | None
    result: str


@dataclass(frozen=True)
class Step:
    at: float
    text: str
    outcome: str  # passed, failed, or begin when its end was not seen
    error: str = ""


@dataclass(frozen=True)
class Scenario:
    """One scenario: what it was, what it measured, what happened and what users were answered."""

    name: str
    feature: str
    folder: str
    begin: float
    seconds: float
    verdict: str
    error: str
    numbers: dict[str, Any]
    judged: dict[str, Any]
    faults: tuple[FaultWindow, ...]
    builds: tuple[Build, ...]
    events: tuple[Event, ...]
    steps: tuple[Step, ...]
    answers: tuple[Answer, ...]
    evidence: str = ""
    live: tuple[tuple[float, str], ...] = ()  # when a color was seen to become live, since the run began
    entries: tuple[Entry, ...] = ()  # its own, in the order they happened

    @property
    def without(self) -> str:
        """Why it has no answers."""
        return "its requests are not there" if self.judged.get("requests") else "no request was sent"


@dataclass(frozen=True)
class Report:
    """A whole run. `facts` are those of run.json."""

    name: str
    facts: dict[str, Any]
    scenarios: tuple[Scenario, ...]
    warnings: tuple[str, ...]
    spending: Spending = spending.NOTHING


# --- finding and reading ----------------------------------------------------------------------------------


def find(run: str | None, folder: Path | None = None) -> Path:
    """The folder of a run by its name or path, or the newest one. Raises ConfigError when there is none."""
    folder = folder or runs.RUNS
    known = {path.name: path for path in sorted(filter(is_run, folder.glob("*")), key=_started)}
    if run is None:
        if not known:
            raise ConfigError("there is no run yet", try_next="make features")
        return list(known.values())[-1]
    if run in known:
        return known[run]
    if run and is_run(Path(run)):
        return Path(run)
    raise ConfigError(
        f"no run {shown(run)}{nearest(run, known)}",
        try_next=f"one of: {', '.join(list(known)[-5:])}" if known else "make features",
    )


def is_run(folder: Path) -> bool:
    """Whether a run was kept here: into no other folder is a report written."""
    try:
        return bool(runs.journals(folder)) or (folder / runs.RUN).is_file()
    except (OSError, ValueError):  # no folder can be called so
        return False


def _started(folder: Path) -> tuple[float, str]:
    """When a run began, as it says itself, else when it was last written to; and its name."""
    started = _facts(folder, lambda _: None)["started"]
    return (folder.stat().st_mtime if started is None else started, folder.name)


def load(folder: Path) -> Report:
    """The report of a run's folder, whatever state the run left it in."""
    warnings: list[str] = []
    facts = _facts(folder, warnings.append)
    labs = _labs(folder, warnings.append)
    found = _parts(labs, warnings.append)
    service = facts["service"]
    scenarios = tuple(_scenario(folder, part, service, warnings.append) for part in found)
    if not scenarios:
        warnings.append("no scenario began in this run")
    spent = spending.spent((part.whole for part in found), labs)
    return Report(folder.name, facts, scenarios, tuple(warnings), spent)


def _labs(folder: Path, warn: Callable[[str], None]) -> list[list[Entry]]:
    """The entries of each lab of a run."""
    paths = sorted(folder.glob("journal*.jsonl")) or [folder / runs.JOURNAL]
    return [_entries(path, warn) for path in paths]


def _parts(labs: Iterable[Sequence[Entry]], warn: Callable[[str], None]) -> list[Part]:
    """The scenarios of every lab of a run, in the order they began; `warn` is told what is not of them."""
    found = []
    for entries in labs:
        own = parts(entries)
        ends = {id(part.end) for part in own}
        for stray in (one for one in entries if isinstance(one, ScenarioEnded) and id(one) not in ends):
            warn(f"{stray.name}: an end ({stray.verdict}) that is not the end of a scenario, passed over")
        for part in own:
            if part.lost:
                warn(f"{part.begin.name}: {part.lost} of its entries and of those before it are gone")
        found += own
    for name, times in Counter(part.begin.folder for part in found if part.begin.folder).items():
        if times > 1:
            warn(f"{name}: the folder of {times} scenarios")
    return sorted(found, key=lambda part: part.begin.at)


def _entries(path: Path, warn: Callable[[str], None]) -> list[Entry]:
    entries: list[Entry] = []
    try:
        entries = journal.read(path, warn)
    except LabError as error:
        warn(error.what)
    if not entries:
        warn(f"{path} is empty or not there: nothing of it is known")
    return entries


def _is(kind: Any) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind)


# What run.json says: whether a value can be that fact, and what is shown where it is not known.
FACTS: dict[str, tuple[Callable[[Any], bool], Any]] = {
    "lab": (_is(str), "a lab"),
    "service": (_is(str), ""),
    "started": (lambda value: value is None or is_number(value), None),
    "command": (_is(str), ""),
    "seed": (lambda value: isinstance(value, int | str | None) and not isinstance(value, bool), None),
    "check_interval": (lambda value: value is None or (isinstance(value, int) and is_number(value)), None),
    "versions": (_is(dict), {}),
}


def _facts(folder: Path, warn: Callable[[str], None]) -> dict[str, Any]:
    """Every fact of FACTS; one that cannot be is told, and not known."""
    path = folder / runs.RUN
    said: Any = {}
    try:
        said = files.plain(files.content(path).decode())
    except (OSError, ValueError, RecursionError) as error:
        warn(f"{path} cannot be read: {error}")
    if not isinstance(said, dict):
        warn(f"{path} does not hold what a run is")
        said = {}
    facts = {}
    for name, (can_be, otherwise) in FACTS.items():
        facts[name] = said.get(name, otherwise)
        if not can_be(facts[name]):
            warn(f"{path}: {name} is {shown(str(facts[name]))}")
            facts[name] = otherwise
    return facts


@dataclass(frozen=True)
class Part:
    """One scenario's piece of a journal; `before` are the entries of the run up to its beginning."""

    begin: ScenarioBegan
    end: ScenarioEnded | None
    before: tuple[Entry, ...]
    own: tuple[Entry, ...]

    @property
    def whole(self) -> list[Entry]:
        """The scenario's entries from its begin to its end."""
        return [self.begin, *self.own, *([self.end] if self.end else [])]

    @property
    def lost(self) -> int:
        """How many entries there were when it was judged, and are not there now."""
        return max(0, self.end.entries - len(self.before) - 1 - len(self.own)) if self.end else 0

    @property
    def judged_by(self) -> list[Entry]:
        """The entries its numbers were computed from, in the order they were written."""
        all_of_it = [*self.before, self.begin, *self.own]
        return all_of_it[: self.end.entries] if self.end else all_of_it


def parts(entries: Sequence[Entry]) -> list[Part]:
    """A journal cut into its scenarios. One without an end lasts until the next begins.

    What is told of its lab afterwards, such as its being taken down, is not of it.
    """
    begins = [(index, entry) for index, entry in enumerate(entries) if isinstance(entry, ScenarioBegan)]
    found = []
    for (index, begin), (following, _) in pairwise([*begins, (len(entries), None)]):
        assert begin is not None, "only the last one is"
        rest = entries[index + 1 : following]
        ends = (entry for entry in rest if isinstance(entry, ScenarioEnded))
        # Of another one, when two have written to the same journal, it tells nothing of this one.
        end = next((entry for entry in ends if entry.folder in ("", begin.folder)), None)
        own = rest[: rest.index(end)] if end else [one for one in rest if not isinstance(one, LabPhase)]
        found.append(Part(begin, end, tuple(entries[:index]), tuple(own)))
    return found


def _scenario(folder: Path, part: Part, service: str, warn: Callable[[str], None]) -> Scenario:
    begin = part.begin
    # Faults of what came before, a test that is no scenario, are copied to the journal only now.
    own = sorted((one for one in part.own if one.at >= begin.at), key=lambda entry: entry.at)
    answers = _answers(folder / begin.folder, part, warn)
    end = part.end or _cut(part, own)
    judged = end.judged
    if judged is not None and not measures.is_sound(judged):
        warn(f"{begin.name}: what was told of it cannot be: its numbers are computed again")
        judged = None
    if judged is None:
        ordered = sorted(part.judged_by, key=lambda entry: entry.at)
        judged = measures.judge(answers, ordered, begin.at, service)
    if judged["requests"] != len(answers):
        warn(f"{begin.name}: {judged['requests']} requests were told, its records have {len(answers)}")
    return Scenario(
        name=begin.name,
        feature=begin.feature,
        folder=begin.folder,
        begin=begin.at,
        seconds=end.seconds,
        verdict=end.verdict,
        error=end.error,
        numbers=end.numbers,
        judged=judged,
        faults=tuple(measures.faults(own)),
        builds=tuple(builds(own)),
        events=tuple(events(own)),
        steps=tuple(steps(own)),
        answers=tuple(answers),
        evidence=next((entry.file for entry in own if isinstance(entry, EvidenceKept)), ""),
        live=tuple(measures.live_colors(sorted((*part.before, *own), key=lambda one: one.at), service)),
        entries=tuple(own),
    )


def _cut(part: Part, own: Sequence[Entry]) -> ScenarioEnded:
    """The end of a scenario that has none."""
    last = own[-1].at if own else part.begin.at
    error = "the run ended in the middle of it"
    return ScenarioEnded(at=last, verdict=CUT, seconds=last - part.begin.at, error=error)


def _answers(folder: Path, part: Part, warn: Callable[[str], None]) -> list[Answer]:
    for entry in part.own:
        if isinstance(entry, ProbeBegan) and not (folder / entry.record).is_file():
            warn(f"{folder / entry.record} is missing: its requests are not shown")
    try:
        return runs.requests(folder, warn)
    except LabError as error:
        warn(error.what)
        return []


# --- what happened ----------------------------------------------------------------------------------------


def events(entries: Iterable[Entry]) -> list[Event]:
    """What watchers saw change, in words, at most MOST_EVENTS a lane; not what was so from the start."""
    found: list[Event] = []
    counts = dict.fromkeys(LANES, 0)
    for entry in entries:
        if not isinstance(entry, Seen) or entry.first:
            continue
        counts[entry.kind] += 1
        if counts[entry.kind] <= MOST_EVENTS:
            found.append(Event(entry.at, entry.kind, entry.words()[:TEXT], entry.short(), entry.mood()))
    return found


def builds(entries: Iterable[Entry]) -> list[Build]:
    """The builds of Jenkins that were seen. One that came and ended between two looks has its own length."""
    found: dict[tuple[str, int], Build] = {}
    for entry in entries:
        if not isinstance(entry, BuildChange) or entry.first:
            continue
        key = (entry.job, entry.build)
        if entry.now == "building":
            found[key] = Build(*key, entry.at, None, entry.now)
        elif entry.now:
            seen = found.get(key)
            begin = seen.begin if seen else entry.at - entry.seconds
            found[key] = Build(*key, begin, entry.at, entry.now)
    return list(found.values())


def steps(entries: Iterable[Entry]) -> list[Step]:
    """The steps in order, each once, with its last known outcome."""
    found: list[Step] = []
    for entry in entries:
        if not isinstance(entry, StepPhase):
            continue
        if entry.phase == "begin" or not found or found[-1].text != entry.text:
            found.append(Step(entry.at, entry.text, entry.phase))
        else:
            found[-1] = Step(found[-1].at, entry.text, entry.phase, entry.error or "")
    return found


# --- as plain data ----------------------------------------------------------------------------------------


LEFT_OUT = ("answers", "entries", "live")  # a record or the journal has them


def plain(report: Report) -> dict[str, Any]:
    """The report for JSON. Requests are told by the second; each one is in the probe's own record."""
    return {
        "run": report.name,
        **report.facts,
        "warnings": list(report.warnings),
        "spending": asdict(report.spending),
        "scenarios": [_plain(scenario) for scenario in report.scenarios],
    }


def _plain(scenario: Scenario) -> dict[str, Any]:
    told = [name for name in scenario.__dataclass_fields__ if name not in LEFT_OUT]
    facts = {name: getattr(scenario, name) for name in told}
    for name in ("faults", "builds", "events", "steps"):
        facts[name] = [asdict(one) for one in facts[name]]
    return facts | {"by_second": by_second(scenario.answers)}


def by_second(answers: Iterable[Answer]) -> list[dict[str, Any]]:
    """One row a second in which requests were due: how many, how many failed, the longest one in seconds."""
    rows: dict[int, dict[str, Any]] = {}
    for answer in answers:
        second = int(answer.planned)
        row = rows.setdefault(second, {"at": second, "requests": 0, "failed": 0, "max": 0.0, "by": {}})
        row["requests"] += 1
        row["failed"] += answer.failed
        row["max"] = round(max(row["max"], answer.latency), 4)
        if not answer.failed:
            who = f"{answer.release} {answer.color}".strip()
            row["by"][who] = row["by"].get(who, 0) + 1
    return [rows[second] for second in sorted(rows)]


# --- judged again -----------------------------------------------------------------------------------------


def recheck(folder: Path) -> list[str]:
    """What differs when every scenario's numbers are computed again from what the run left, in words.

    Nothing: all is as it was told. A scenario that never ended, or a record that is gone, is a difference:
    nothing vouches for it. Raises ConfigError when no scenario is there to judge.
    """
    warnings: list[str] = []
    service = _facts(folder, warnings.append)["service"]
    found = _parts(_labs(folder, warnings.append), warnings.append)
    if not found:
        raise ConfigError(f"nothing to judge in {folder}", last_seen="\n".join(warnings) or None)
    for part in found:
        warnings.extend(_differences(folder, part, service))
    return warnings


def _differences(folder: Path, part: Part, service: str) -> list[str]:
    name = part.begin.name
    if part.end is None:
        return [f"{name}: it did not end, so nothing was told of it"]
    told = part.end.judged or {}
    try:
        now = runs.judged(folder / part.begin.folder, part.judged_by, part.begin.at, service)
    except LabError as error:
        return [f"{name}: {error}"]
    return [
        f"{name}: {key} was told as {told.get(key)}, is {now.get(key)}"
        for key in sorted(told.keys() | now.keys())
        if told.get(key) != now.get(key)
    ]
