"""Who is in the room, and who needs help first. `admitted` and `rows` decide and are pure."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from board import reports
from board.reports import Report
from lab.errors import CheckFailed

MOST = 200  # attendees
SILENT = 20.0  # seconds after the last report: then another process may take the name
FORGOTTEN = 1800.0  # seconds after it: then the row is gone


@dataclass(frozen=True)
class Attendee:
    """A report and when it came, in seconds of the board's wall clock."""

    report: Report
    at: float

    def is_silent(self, now: float) -> bool:
        return now - self.at > SILENT

    @property
    def is_done(self) -> bool:
        return self.report.step is not None and self.report.step > self.report.of


class NameTaken(CheckFailed):
    """Somebody else who reports now has this name."""


class RoomFull(CheckFailed):
    """There are as many attendees as the board takes."""


def admitted(known: Mapping[str, Attendee], report: Report, now: float) -> dict[str, Attendee]:
    """The room with this report in it. Raises NameTaken or RoomFull, and then the room is as it was."""
    key = reports.key(report.name)
    there = {name: one for name, one in known.items() if now - one.at <= FORGOTTEN}
    before = there.get(key)
    if before and not before.is_silent(now) and not _is_same(before.report, report):
        raise NameTaken(f"somebody else reports as {report.name} now", try_next="another name: --as NAME")
    if before is None and len(there) >= MOST:
        there = {name: one for name, one in there.items() if not one.is_silent(now)}
    if before is None and len(there) >= MOST:
        raise RoomFull(f"the room is full: {MOST} attendees report", try_next="ask who keeps the board")
    return {**there, key: Attendee(report, now)}


def _is_same(before: Report, now: Report) -> bool:
    return hmac.compare_digest(before.secret, now.secret)


def rows(attendees: Iterable[Attendee], now: float) -> list[dict[str, Any]]:
    """The table, who needs help first: stuck for longest first, who is done last. Moments, not spans."""
    there = [one for one in attendees if now - one.at <= FORGOTTEN]
    return [_row(one, now) for one in sorted(there, key=_need)]


def _need(one: Attendee) -> tuple[bool, float, str]:
    return one.is_done, one.at - one.report.stuck, one.report.name


def _row(one: Attendee, now: float) -> dict[str, Any]:
    report = one.report
    return {
        "name": report.name,
        "step": report.step,
        "of": report.of,
        "done": one.is_done,
        "check": report.check,
        "since": round(one.at - report.stuck),
        "step_since": round(one.at - report.on_step),
        "colors": dict(report.colors),
        "silent": round(one.at) if one.is_silent(now) else None,
    }
