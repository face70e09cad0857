"""What a room costs a board: thirty labs that report and thirty pages that look, beside one of each.

The board is a process of its own, without a lab: its looks cost the same, whoever reports. Reports come as
often as attendees send them, so what is measured is a room as it would be.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx

from bench.figure import Figure
from board import joining
from board.reports import Report
from lab.environment import ROOT

ROOM = 30
LASTS = 30.0  # seconds
TOKEN = "t" * 22
PROGRAM = f"""
from board import looking, serving
from lab import config
looking._away = lambda lab: "no lab is up"
with serving.listen("127.0.0.1", 0) as opened:
    print(opened.getsockname()[1], flush=True)
    serving.Serving(config.load(config.LAB_FILE), opened, "127.0.0.1", "{TOKEN}").run()
"""


def measure() -> list[Figure]:
    one, room = _figures(1), _figures(ROOM)
    names = ("memory of the board", "its share of a processor", "a report to be on a page")
    return [
        Figure(f"{name}, {ROOM} attendees", of_room, "-", f"{of_one}, one attendee")
        for name, of_room, of_one in zip(names, room, one, strict=True)
    ]


def _figures(count: int) -> tuple[str, str, str]:
    with _board() as (pid, url):
        pages = [_Page(url) for _ in range(count)]
        labs = [_Lab(url, number, pages) for number in range(count)]
        for thread in (*pages, *labs):
            thread.start()
        before, begun = _processor(pid), time.monotonic()
        for lab in labs:
            lab.join()
        share = (_processor(pid) - before) / (time.monotonic() - begun)
        memory = _memory(pid)
    seen = sorted(span for page in pages for span in page.spans)
    if any(lab.refused for lab in labs) or not seen:
        raise RuntimeError(f"the board refused {[lab.refused for lab in labs]}, {len(seen)} reports seen")
    late = seen[int(len(seen) * 0.95)]
    return (
        f"{memory:.0f} MiB",
        f"{share:.1%}",
        f"median {median(seen) * 1000:.0f}, p95 {late * 1000:.0f} ms",
    )


@contextmanager
def _board() -> Iterator[tuple[int, str]]:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process.pid, f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()


def _processor(pid: int) -> float:
    """Seconds of a processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> float:
    """The most that a process had, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


class _Page(threading.Thread):
    """Looks at the board, and notes how long after it was sent each report was on it."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self.sent: dict[str, float] = {}  # what a report says -> when it was sent
        self.spans: list[float] = []

    def run(self) -> None:
        with httpx.stream("GET", f"{self._url}/events", trust_env=False, timeout=None) as answer:
            kind = ""
            try:
                for line in answer.iter_lines():
                    word, _, rest = line.partition(": ")
                    kind = rest if word == "event" else kind
                    if word == "data" and kind == "room":
                        self._saw(json.loads(rest))
            except httpx.HTTPError:  # the board has ended
                return

    def _saw(self, rows: list[dict[str, object]]) -> None:
        now = time.monotonic()
        for row in rows:
            sent = self.sent.pop(str(row["check"]), None)
            if sent is not None:
                self.spans.append(now - sent)


class _Lab(threading.Thread):
    """Reports as an attendee's lab does, something else each time."""

    def __init__(self, url: str, number: int, pages: list[_Page]) -> None:
        super().__init__(daemon=True)
        self._reporter = joining.Reporter(url, TOKEN)
        self._number, self._pages = number, pages
        self.refused = 0

    def run(self) -> None:
        ended = threading.Event()
        ended.wait(joining.PAUSE * self._number / ROOM)  # a room does not report in one moment
        begun, count = time.monotonic(), 0
        while time.monotonic() - begun < LASTS:
            check, count = f"attendee {self._number} lacks {count}", count + 1
            for page in self._pages:
                page.sent[check] = time.monotonic()
            told = Report(f"attendee {self._number}", f"{self._number:032x}", 1, 5, check, 1.0, 1.0, {})
            self.refused += self._reporter.post(told) is not None
            ended.wait(joining.PAUSE)
