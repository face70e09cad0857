"""Steady requests of a user's, a few each second, and what each of the last seconds got.

`seconds` decides and is pure. The requests are the probe's (evidence/probe.py): its process ends with this
one, however that ends. Its record is in memory alone, so nothing is left of it either.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from evidence.answers import Answer
from evidence.probe import Probe
from lab.errors import LabError
from lab.model import COLORS, Lab

RATE = 5  # requests a second
SHOWN = 120  # seconds
MOST = RATE * 3600  # requests of one probe: an hour, so that its record stays small


@dataclass(frozen=True)
class Second:
    """What the requests got that were due in one second; `waiting` have no answer yet."""

    at: int  # of the wall clock
    blue: int = 0
    green: int = 0
    other: int = 0  # a success that names no color
    failed: int = 0
    waiting: int = 0


def seconds(answers: Iterable[Answer], begin: float | None, now: float, shown: int = SHOWN) -> list[Second]:
    """The last whole seconds, oldest first. `begin` is when the running probe began to ask, None without one.

    What is due and has no answer is waiting: an answer that does not come is seen before it is given up.
    """
    first = int(now) - shown
    counts = {at: [0] * 4 for at in range(first, int(now))}
    for answer in answers:
        if (at := int(answer.planned)) in counts:
            counts[at][_place(answer)] += 1
    return [Second(at, *(*count, _waiting(at, sum(count), begin))) for at, count in counts.items()]


def _place(answer: Answer) -> int:
    if answer.failed:
        return 3
    return COLORS.index(answer.color) if answer.color in COLORS else 2


def _waiting(at: int, answered: int, begin: float | None) -> int:
    """Of a second in which the probe asked from its beginning."""
    return max(0, RATE - answered) if begin is not None and begin <= at else 0


class Traffic:
    """Asks the lab's main service while the lab is here. Not for two threads."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._probe: Probe | None = None
        self._record = -1
        self._began: float | None = None
        self._before: list[Answer] = []  # of the probe before this one

    def keep(self, *, present: bool) -> None:
        """A probe runs when the lab is here, and none when it is not."""
        if self._probe is not None and not (present and self._probe.is_running):
            self.stop()
        if present and self._probe is None:
            self._start()

    def _start(self) -> None:
        self._record = os.memfd_create("lab-board")
        record = Path(f"/proc/{os.getpid()}/fd/{self._record}")
        probe = None
        try:
            probe = Probe(self._lab, self._lab.main_service.path, RATE, record, most=MOST)
            probe.start()
        except LabError:  # the lab has gone meanwhile: the next look says so
            os.close(self._record)
            return
        self._probe, self._began = probe, None

    def seconds(self, now: float) -> list[Second]:
        """The last ones, for the page."""
        answers = [] if self._probe is None else self._probe.answers
        if answers and self._began is None:
            self._began = min(answer.planned for answer in answers)
        # Answers come in the order they ended: the last ones are due not much earlier.
        return seconds([*self._before, *answers[-2 * RATE * SHOWN :]], self._began, now)

    def stop(self) -> None:
        """No more requests; what was answered is still shown."""
        if self._probe is None:
            return
        with suppress(LabError):  # the lab's network is gone, which is why it ended
            self._probe.stop()
        self._before = [one for one in self._probe.answers if one.planned > time.time() - SHOWN]
        os.close(self._record)
        self._probe = self._began = None

    def end(self) -> None:
        """At once: nobody wants the answers of the requests under way."""
        if self._probe is not None:
            self._probe.kill()
