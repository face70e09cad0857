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

from evidence.entries import Entry, Unknown, is_number, of, unknown
from evidence.files import content, plain
from lab import environment
from lab.errors import LabError

Written = TypeVar("Written", bound=Entry)


def of_faults() -> Path:
    """Where the journal of faults is."""
    return environment.lab_state() / "faults.jsonl"


class Journal:
    """Appends entries to a file, from any thread. `durable` waits until the disk has each one."""

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        self.path = path
        self._durable = durable
        self._lock = threading.Lock()

    def add(self, entry: Written) -> Written:
        facts = {"at": entry.at, "kind": entry.kind, **entry.facts()}
        # What UTF-8 cannot write is written as JSON's own escape.
        line = json.dumps(facts, ensure_ascii=False).encode(errors="backslashreplace")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, self.path.open("ab") as file:
            # A line that a kill cut short must not swallow the next one.
            broken = file.tell() > 0 and not _ends_a_line(self.path)
            file.write((b"\n" if broken else b"") + line + b"\n")
            file.flush()
            if self._durable:
                os.fsync(file.fileno())
        return entry


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def read(path: Path, warn: Callable[[str], None] = lambda _: None) -> list[Entry]:
    """The entries of a journal, in order. What cannot be read is passed over and told to `warn`.

    What can be read but no kind takes is told too, and is among them, as Unknown. Raises LabError for a file
    that cannot be read at all.
    """
    try:
        text = content(path).decode(errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LabError(f"{path} cannot be read: {error.strerror}", try_next=f"ls -l {path}") from error
    entries = []
    for number, line in enumerate(text.split("\n"), start=1):  # a line's end and nothing that looks like one
        if not line.strip():
            continue
        try:
            entry = _parsed(line)
        except json.JSONDecodeError:
            warn(f"{path}, line {number}: cut short or damaged, passed over")
            continue
        except (ValueError, KeyError, AttributeError, TypeError, ArithmeticError, RecursionError):
            warn(f"{path}, line {number}: it is no entry, passed over")
            continue
        if isinstance(entry, Unknown):
            warn(f"{path}, line {number}: {unknown(entry)}")
        entries.append(entry)
    return entries


def _parsed(line: str) -> Entry:
    facts = plain(line)
    at = facts.pop("at")
    if not is_number(at):
        raise ValueError(f"{at} is no moment")
    return of(str(facts.pop("kind")), float(at), **facts)
