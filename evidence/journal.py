"""A journal: what happened, in order, one JSON object a line. It is readable after a kill.

Two kinds of journal are kept: `.lab/faults.jsonl`, written ahead of every fault and durable, and one a run,
`.lab/runs/<run>/journal.jsonl`.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from evidence.entries import Entry, of
from lab import environment

Written = TypeVar("Written", bound=Entry)


def of_faults() -> Path:
    """Where the journal of faults is."""
    return environment.STATE / "faults.jsonl"


class Journal:
    """Appends entries to a file, from any thread. `durable` waits until the disk has each one."""

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        self.path = path
        self._durable = durable
        self._lock = threading.Lock()

    def add(self, entry: Written) -> Written:
        line = json.dumps({"at": entry.at, "kind": entry.kind, **entry.facts()}, ensure_ascii=False)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, self.path.open("ab") as file:
            # A line that a kill cut short must not swallow the next one.
            broken = file.tell() > 0 and not _ends_a_line(self.path)
            file.write((b"\n" if broken else b"") + line.encode() + b"\n")
            file.flush()
            if self._durable:
                os.fsync(file.fileno())
        return entry


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def read(path: Path, warn: Callable[[str], None] = lambda _: None) -> list[Entry]:
    """The entries of a journal, in order; lines cut short are passed over and told to `warn`.

    What no kind takes is among them, as Unknown.
    """
    if not path.exists():
        return []
    entries = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            facts = json.loads(line)
            entries.append(of(str(facts.pop("kind")), float(facts.pop("at")), **facts))
        except (ValueError, KeyError, AttributeError, TypeError):
            warn(f"{path}, line {number}: cut short, passed over")
    return entries
