"""What a journal tells: one frozen record a kind of entry. What a watcher saw can say itself in words.

`of` makes the record of a kind from plain facts, and `Entry.facts` gives them back. What is of no known
kind, or lacks what its kind needs, is kept as Unknown: it is told, and never a crash.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

TEXT, SHORT = 200, 34  # characters
STAMP = re.compile(
    r"^[0-9][0-9/:.TZ-]+( [0-9:.]+)? ?(\[\w+\] *)?([0-9#]+: *)?([*][0-9]+ )?"
)  # what a log line begins with
MOST = 32_503_680_000.0  # a number is no larger: as a moment, the year 3000
FILE_NAME = re.compile(r"[\w-][\w.-]{0,199}")  # in its own folder, and nowhere else
FAULT_ID = re.compile(r"[\w-]{1,40}")  # it becomes a part of names on nodes
VERDICTS = ("passed", "failed", "known limit", "cut")
UNDO = {"place", "heal", "healed", "timed", "last"}
GOOD = {"passing", "running", "SUCCESS", "answers again"}
BAD = {"critical", "exited", "dead", "FAILURE", "does not answer", ""}


FileName = str  # a name and no way to another folder, or nothing
Verdict = str  # one of VERDICTS


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Something that happened; `at` is in seconds of the wall clock."""

    kinds: ClassVar[tuple[str, ...]] = ()  # as the journal names them
    tells: ClassVar[str] = ""  # the fact by which it is known among those of its kind

    kind: str = ""
    at: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        if not self.kind and self.kinds:
            object.__setattr__(self, "kind", self.kinds[0])

    def facts(self) -> dict[str, Any]:
        """All but the kind and the moment; a fact that is not there is left out."""
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("kind", "at")}
        return {name: value for name, value in own.items() if value is not None and value is not False}


@dataclass(frozen=True, kw_only=True)
class Unknown(Entry):
    """An entry of a kind that is not known, or without what its kind needs."""

    plain: dict[str, Any]

    def facts(self) -> dict[str, Any]:
        return self.plain


# --- of a run -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ScenarioBegan(Entry):
    kinds = ("scenario",)

    phase: str = "begin"
    name: str = "a scenario"
    feature: str = ""
    folder: FileName = ""


@dataclass(frozen=True, kw_only=True)
class ScenarioEnded(Entry):
    """`numbers` are its steps' own; `judged` is what measures.judge says of so many `entries`."""

    kinds = ("scenario",)

    phase: str = "end"
    name: str = ""
    folder: FileName = ""
    verdict: Verdict
    seconds: float
    judged: dict[str, Any] | None = None
    entries: int = 0
    numbers: dict[str, Any] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class StepPhase(Entry):
    """`phase` is begin, passed or failed."""

    kinds = ("step",)

    phase: str
    text: str
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Waited(Entry):
    """A wait that has ended, whether or not what it was for came; `seconds` long."""

    kinds = ("wait",)

    what: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class LabPhase(Entry):
    """A phase, as its kind says, of bringing a lab up or taking it down; it has ended, well or not.

    `what` is "" for one that has no phases; `seconds` is how long it took.
    """

    kinds = ("bring-up", "taking down")

    what: str = ""
    seconds: float


BRING_UP, TAKING_DOWN = LabPhase.kinds


@dataclass(frozen=True, kw_only=True)
class ProbeBegan(Entry):
    """`rate` is in requests a second."""

    kinds = ("probe",)

    record: FileName
    path: str = ""
    rate: float = 0.0


@dataclass(frozen=True, kw_only=True)
class EvidenceKept(Entry):
    kinds = ("evidence",)

    file: FileName


@dataclass(frozen=True, kw_only=True)
class FaultPhase(Entry):
    """A fault's way: see faults/history.py. Only `inject`, written ahead, has all there is to know."""

    kinds = ("fault",)

    id: str
    phase: str
    name: str | None = None
    target: str | None = None
    on: tuple[str, ...] | None = None
    nodes: tuple[str, ...] | None = None
    settings: dict[str, Any] | None = None
    seconds: float | None = None
    deadline: float | None = None
    undo: tuple[dict[str, Any], ...] | None = None
    detail: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for an undo that cannot be what it was written as: it becomes scripts."""
        super().__post_init__()
        if not FAULT_ID.fullmatch(self.id):
            raise ValueError(f"{self.id!r} is no fault's id")
        for action in self.undo or ():
            if not (isinstance(action, dict) and action.keys() == UNDO and _is_undo(**action)):
                raise ValueError(f"{action!r} undoes nothing")


def _is_undo(place: Any, heal: Any, healed: Any, timed: Any, last: Any) -> bool:
    texts = isinstance(heal, str) and isinstance(healed, str) and isinstance(place, str | None)
    return texts and isinstance(timed, bool) and isinstance(last, bool)


# --- of the watchers ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Seen(Entry):
    """What a watcher saw. `first`: so it was already at its first look."""

    first: bool = False

    @property
    def now_is(self) -> str | None:
        """What decides its mood; None when it has none."""
        return None

    def words(self) -> str:
        raise NotImplementedError

    def short(self) -> str:
        """The same in few words, for the picture, where room is scarce."""
        raise NotImplementedError

    def mood(self) -> str:
        """good, bad or plain."""
        return "good" if self.now_is in GOOD else "bad" if self.now_is in BAD else "plain"


@dataclass(frozen=True, kw_only=True)
class Silence(Seen):
    """Whom a watcher asks does not answer, or answers again."""

    kinds = ("consul", "swarm", "jenkins")
    tells = "who"

    who: str
    now: str
    error: str | None = None

    @property
    def now_is(self) -> str:
        return self.now

    def words(self) -> str:
        return f"{self.who}: {self.now}"

    def short(self) -> str:
        return "silent" if self.now == "does not answer" else "answers"


@dataclass(frozen=True, kw_only=True)
class Change(Seen):
    """A thing is another than before; an empty word is "not there"."""

    was: str = ""
    now: str = ""

    @property
    def now_is(self) -> str:
        return self.now

    @property
    def change(self) -> str:
        return f"{self.was or 'new'} → {self.now or 'gone'}"


@dataclass(frozen=True, kw_only=True)
class CheckChange(Change):
    """A check of Consul's: passing, warning or critical."""

    kinds = ("consul",)
    tells = "check"

    node: str
    check: str
    service: str = ""

    @property
    def name(self) -> str:
        return f"{self.node}/{self.check}"

    def words(self) -> str:
        return f"{self.service or self.node} ({self.check}): {self.change}"

    def short(self) -> str:
        return f"{self.service or self.node} {self.now or 'gone'}"


@dataclass(frozen=True, kw_only=True)
class ColorChange(Change):
    """The live color that Consul has for a service."""

    kinds = ("consul",)
    tells = "color_of"

    color_of: str

    def words(self) -> str:
        return f"{self.color_of} is live on {self.now or 'nothing'}"

    def short(self) -> str:
        return f"live: {self.now or 'gone'}"


@dataclass(frozen=True, kw_only=True)
class ContainerChange(Change):
    """A container that Swarm knows."""

    kinds = ("swarm",)
    tells = "container"

    container: str
    node: str
    image: str = ""

    def words(self) -> str:
        return f"{self.container} on {self.node}: {self.change}"

    def short(self) -> str:
        parts = self.container.split("_")
        return f"{parts[1] if len(parts) > 1 else parts[0]} {self.now or 'gone'}"


@dataclass(frozen=True, kw_only=True)
class BuildChange(Change):
    """A build of Jenkins': building, or its result; `seconds` is its length when it has ended."""

    kinds = ("jenkins",)
    tells = "build"

    job: str
    build: int
    seconds: float = 0.0

    def words(self) -> str:
        return f"{self.job} #{self.build}: {self.now}"

    def short(self) -> str:
        return f"#{self.build} {self.now or 'gone'}"


@dataclass(frozen=True, kw_only=True)
class LogLine(Seen):
    kinds = ("log",)

    node: str = ""
    source: str = ""
    text: str = ""

    def words(self) -> str:
        return f"{self.node} {self.source.rpartition('/')[2]}: {self.text}"

    def short(self) -> str:
        text = STAMP.sub("", self.text)
        return "" if text.startswith("(") else text[:SHORT]


# --- from plain facts ---------------------------------------------------------------------------------------

EVERY: tuple[type[Entry], ...] = (
    *(StepPhase, Waited, LabPhase, ProbeBegan, EvidenceKept, FaultPhase, LogLine),
    *(Silence, CheckChange, ColorChange, ContainerChange, BuildChange),
)
SCENARIO: dict[str, type[Entry]] = {"begin": ScenarioBegan, "end": ScenarioEnded}


def of(kind: str, at: float | None = None, /, **facts: Any) -> Entry:
    """The record of these facts; Unknown when no kind takes them. What its kind has not is left out."""
    moment = time.time() if at is None else at
    chosen = _chosen(kind, facts)
    if chosen is not None:
        try:
            return chosen(kind=kind, at=moment, **_taken(chosen, facts))
        except (TypeError, ValueError, ArithmeticError):
            pass
    return Unknown(kind=kind, at=moment, plain=facts)


def _chosen(kind: str, facts: dict[str, Any]) -> type[Entry] | None:
    if kind == "scenario":
        return SCENARIO.get(str(facts.get("phase")))
    return next((one for one in EVERY if kind in one.kinds and (not one.tells or one.tells in facts)), None)


def _taken(chosen: type[Entry], facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of a kind, each as its type. Raises TypeError or ValueError for one that cannot be."""
    hints = HINTS[chosen]
    return {
        name: _as(hints[name], facts[name])
        for name in hints
        if name in facts and name not in ("kind", "at") and facts[name] is not None
    }


def _number(kind: Callable[[Any], float]) -> Callable[[Any], float]:
    """Of moments, of spans and of what is counted: none is below zero."""

    def read(value: Any) -> float:
        number = kind(value)
        if isinstance(value, bool) or not 0 <= number <= MOST:  # which NaN is not either
            raise ValueError(f"{value!r} is out of bounds")
        return number

    return read


def _one(kind: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, kind):
            raise TypeError(f"{value!r} is no {kind}")
        return value

    return read


def _several(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{value!r} is no list")
    return tuple(value)


def _file_name(value: Any) -> str:
    if value and not FILE_NAME.fullmatch(value):
        raise ValueError(f"{value!r} is no file's name")
    return str(value)


def _verdict(value: Any) -> str:
    if value not in VERDICTS:
        raise ValueError(f"{value!r} is no verdict")
    return str(value)


# How a value of each type is read. Raises TypeError, ValueError or ArithmeticError for one that cannot be.
READERS: dict[str, Callable[[Any], Any]] = {
    "str": str,
    "FileName": _file_name,
    "Verdict": _verdict,
    "float": _number(float),
    "int": _number(int),
    "bool": _one(bool),
    "dict[str, Any]": _one(dict),
    "tuple[str, ...]": lambda value: tuple(map(str, _several(value))),
    "tuple[dict[str, Any], ...]": _several,
}


def _as(hint: str, value: Any) -> Any:
    return READERS[hint.removesuffix(" | None")](value)


HINTS = {one: {each.name: str(each.type) for each in fields(one)} for one in (*EVERY, *SCENARIO.values())}


def is_number(value: Any) -> bool:
    """Whether this can be a moment (from 1970 to 3000), a span or a count: not below zero, nor NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST


def unknown(entry: Unknown) -> str:
    """An entry that no kind takes, in words."""
    return f"an entry of the kind {entry.kind!r} is not understood: {entry.plain}"[:TEXT]
