"""Answers and the record they stand in: one JSON object a line, readable while it grows and after a kill."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from sys import intern
from typing import Any, Literal, get_args

from evidence.entries import is_number
from evidence.files import content
from lab.errors import LabError

Outcome = Literal["ok", "fail", "unknown"]
OUTCOMES = get_args(Outcome)


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: seconds of the wall clock, and who answered what. `error` names a failure's class.

    `outcome` is "unknown" when it cannot be told: a write that was sent and got no answer may have been done,
    and what this host could not send says nothing of the service. `book` is the id a write carried.
    """

    planned: float
    sent: float
    finished: float
    status: int | None
    release: str
    color: str
    node: str
    error: str | None
    outcome: Outcome = "ok"
    book: str = ""

    @property
    def failed(self) -> bool:
        """Not a success: what cannot be told is never one."""
        return self.outcome != "ok"

    @property
    def latency(self) -> float:
        """Seconds from the moment it was due, so that a late sender hides nothing."""
        return self.finished - self.planned


FIELDS = tuple(field.name for field in fields(Answer))


class Record:
    """Follows a record that grows: `more()` returns the answers that came since."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def more(self) -> list[Answer]:
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]  # the rest of a line may still come
        self._offset += len(whole)
        return list(_parsed(whole, lambda _: None))


def _parsed(text: bytes, warn: Callable[[str], None]) -> Iterator[Answer]:
    for number, line in enumerate(text.split(b"\n"), start=1):
        if not line:
            continue
        try:
            yield _answer(json.loads(line))
        except json.JSONDecodeError:
            warn(f"line {number} is cut short or damaged, passed over")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            warn(f"line {number} is no answer, passed over")


def _answer(facts: dict[str, Any]) -> Answer:
    # The same few words come thousands of times: one copy of each is kept.
    kept: dict[str, Any] = {key: intern(one) if isinstance(one, str) else one for key, one in facts.items()}
    answer = Answer(**kept)
    if not _is_sound(answer):
        raise ValueError("it cannot be an answer")
    return answer


def _is_sound(answer: Answer) -> bool:
    """Each fact is of its kind, and its end is not before its beginning."""
    moments = (answer.planned, answer.sent, answer.finished)
    words = (answer.release, answer.color, answer.node, answer.book)
    return (
        all(is_number(moment) for moment in moments)
        and all(isinstance(word, str) for word in words)
        and answer.finished >= max(answer.planned, answer.sent)
        and isinstance(answer.status, int | None)
        and not isinstance(answer.status, bool)
        and isinstance(answer.error, str | None)
        and answer.outcome in OUTCOMES
    )


def read(record: Path, warn: Callable[[str], None] = lambda _: None) -> list[Answer]:
    """The answers of a record in the order they were due; a line cut short is passed over and told to `warn`.

    Raises LabError when the record is not there.
    """
    try:
        text = content(record)
    except OSError as error:
        raise LabError(f"{record} cannot be read: {error.strerror}") from error
    return sorted(_parsed(text, lambda what: warn(f"{record}, {what}")), key=lambda answer: answer.planned)


def line(answer: Answer) -> bytes:
    """An answer as it stands in a record."""
    facts = {name: getattr(answer, name) for name in FIELDS}
    return json.dumps(facts, separators=(",", ":")).encode() + b"\n"
