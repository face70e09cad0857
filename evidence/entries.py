"""What a journal tells: one frozen record a kind of entry. What a watcher saw can say itself in words.

`of` makes the record of a kind from plain facts, and `Entry.facts` gives them back. What is of no known
kind, or lacks what its kind needs, is kept as Unknown: it is told, and never a crash.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

TEXT, SHORT = 200, 34  # characters
STAMP = re.compile(
    r"^[0-9][0-9/:.TZ-]+( [0-9:.]+)? ?(\[\w+\] *)?([0-9#]+: *)?([*][0-9]+ )?"
)  # what a log line begins with
GOOD = {"passing", "running", "SUCCESS", "answers again"}
BAD = {"critical", "exited", "dead", "FAILURE", "does not answer", ""}


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
    folder: str = ""


@dataclass(frozen=True, kw_only=True)
class ScenarioEnded(Entry):
    """`numbers` are its steps' own; `judged` is what measures.judge says of so many `entries`."""

    kinds = ("scenario",)

    phase: str = "end"
    name: str = ""
    folder: str = ""
    verdict: str
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
class ProbeBegan(Entry):
    """`rate` is in requests a second."""

    kinds = ("probe",)

    record: str
    path: str = ""
    rate: float = 0.0


@dataclass(frozen=True, kw_only=True)
class EvidenceKept(Entry):
    kinds = ("evidence",)

    file: str


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
    *(StepPhase, ProbeBegan, EvidenceKept, FaultPhase, LogLine),
    *(Silence, CheckChange, ColorChange, ContainerChange, BuildChange),
)
SCENARIO: dict[object, type[Entry]] = {"begin": ScenarioBegan, "end": ScenarioEnded}


def of(kind: str, at: float | None = None, /, **facts: Any) -> Entry:
    """The record of these facts; Unknown when no kind takes them. What its kind has not is left out."""
    moment = time.time() if at is None else at
    chosen = _chosen(kind, facts)
    if chosen is not None:
        try:
            return chosen(kind=kind, at=moment, **_taken(chosen, facts))
        except (TypeError, ValueError):
            pass
    return Unknown(kind=kind, at=moment, plain=facts)


def _chosen(kind: str, facts: dict[str, Any]) -> type[Entry] | None:
    if kind == "scenario":
        return SCENARIO.get(facts.get("phase"))
    return next((one for one in EVERY if kind in one.kinds and (not one.tells or one.tells in facts)), None)


def _taken(chosen: type[Entry], facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of a kind, each as its type. Raises TypeError or ValueError for one that cannot be."""
    hints = HINTS[chosen]
    return {
        name: _as(hints[name], facts[name])
        for name in hints
        if name in facts and name not in ("kind", "at") and facts[name] is not None
    }


def _as(hint: str, value: Any) -> Any:
    kind = hint.removesuffix(" | None")
    if kind == "str":
        return str(value)
    if kind in ("float", "int"):
        return float(value) if kind == "float" else int(value)
    if kind.startswith("tuple") and isinstance(value, (list, tuple)):
        return tuple(value)
    if kind.startswith("dict") and isinstance(value, dict):
        return value
    if kind == "bool" and isinstance(value, bool):
        return value
    raise TypeError(f"{value!r} is no {kind}")


HINTS = {one: {each.name: str(each.type) for each in fields(one)} for one in (*EVERY, *SCENARIO.values())}


def unknown(entries: Iterable[Entry]) -> list[str]:
    """The entries that no kind takes, in words."""
    strange = [one for one in entries if isinstance(one, Unknown)]
    return [f"an entry of the kind {one.kind!r} is not understood: {one.plain}"[:TEXT] for one in strange]
