"""What the journal of faults (`.lab/faults.jsonl`) says: which are open, what undoes them. Pure.

An entry of kind "fault" has a `phase`:

inject    written ahead, on disk before anything is broken; has all there is to know, undo scripts included
injected  the scripts ran
heal      an undo begins
healed    looked at again: nothing of it is left
unknown   the node did not answer, so nobody can tell; still open
failed    the undo ran and something is left; still open
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from evidence.entries import Entry, FaultPhase
from faults.fault import Action
from lab.errors import ConfigError, nearest, shown


@dataclass(frozen=True)
class Injected:
    """A fault of the journal: wall-clock seconds, what it holds, and how to undo it."""

    id: str
    name: str
    target: str
    on: tuple[str, ...]
    nodes: tuple[str, ...]
    at: float
    seconds: float
    deadline: float
    undo: tuple[Action, ...]
    phase: str
    detail: str = ""

    @property
    def is_open(self) -> bool:
        return self.phase != "healed"


def faults(entries: Iterable[Entry]) -> list[Injected]:
    """Every fault of a journal in its last phase, oldest first."""
    told: dict[str, Injected] = {}
    for entry in entries:
        if not isinstance(entry, FaultPhase):
            continue
        if entry.phase == "inject":
            told[entry.id] = _record(entry)
        elif entry.id in told:
            told[entry.id] = replace(told[entry.id], phase=entry.phase, detail=entry.detail or "")
    return list(told.values())


def _record(entry: FaultPhase) -> Injected:
    return Injected(
        id=entry.id,
        name=entry.name or "",
        target=entry.target or "",
        on=entry.on or (),
        nodes=entry.nodes or (),
        at=entry.at,
        seconds=entry.seconds or 0.0,
        deadline=entry.deadline or entry.at,
        undo=tuple(Action(inject="", **action) for action in entry.undo or ()),
        phase="inject",
    )


def open_faults(entries: Iterable[Entry]) -> list[Injected]:
    """The faults that nobody has seen healed, oldest first."""
    return [fault for fault in faults(entries) if fault.is_open]


def overdue(entries: Iterable[Entry], now: float) -> list[Injected]:
    return [fault for fault in open_faults(entries) if fault.deadline <= now]


def holders(entries: Iterable[Entry], on: Iterable[str]) -> list[Injected]:
    """The open faults that hold one of these names."""
    wanted = set(on)
    return [fault for fault in open_faults(entries) if wanted & set(fault.on)]


def find(entries: Iterable[Entry], id: str) -> Injected:
    """The fault of an id. Raises ConfigError that names the nearest one."""
    known = {fault.id: fault for fault in faults(entries)}
    if id not in known:
        latest = ", ".join(list(known)[-5:]) or "none so far"
        raise ConfigError(f"no fault {shown(id)}{nearest(id, known)}", try_next=f"the latest: {latest}")
    return known[id]
