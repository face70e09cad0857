"""Figures of the evidence: the probe's schedule beside wrk, the report beside reading its JSON, memory."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.figure import Figure
from evidence import answers, measures, report, runs
from evidence.answers import Answer
from evidence.entries import FaultPhase
from evidence.probe import Probe
from evidence.sender import Schedule
from lab import config, environment
from lab.environment import ROOT

LAB = str(Path(sys.executable).with_name("lab"))
RATE = 2000.0
SECONDS = 10
DRAWN = 100_000  # requests
AN_HOUR = 180_000  # requests at 50 a second
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n"
    b"X-Release: 1.0\r\nX-Color: blue\r\nX-Node: here\r\n\r\n[]"
)


def _serve(port: multiprocessing.Queue[int]) -> None:
    """A small server, the same for the probe and for wrk: one answer a connection."""
    import asyncio  # noqa: PLC0415

    class Answering(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            assert isinstance(self.transport, asyncio.Transport)
            self.transport.write(ANSWER)
            self.transport.close()

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, backlog=1024)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def server() -> Iterator[int]:
    """The port of a small server on this host, in a process of its own."""
    port: multiprocessing.Queue[int] = multiprocessing.Queue()
    process = multiprocessing.Process(target=_serve, args=(port,), daemon=True)
    process.start()
    try:
        yield port.get(timeout=10)
    finally:
        process.terminate()
        process.join()


def schedule() -> Figure:
    """The probe at its highest rate, and then wrk, both on the same server."""
    with tempfile.TemporaryDirectory() as folder, server() as port:
        return Figure(f"probe at {RATE:g}/s", probed(port, Path(folder)), "late p99 under 5 ms", wrk(port))


def probed(port: int, folder: Path) -> str:
    """What a probe at RATE met: how late it sent and how long the answers took."""
    record = folder / "probe.jsonl"
    schedule = Schedule(
        "127.0.0.1", port, "/", RATE, "lo", str(record), timeout=2.0, most=int(RATE * SECONDS)
    )
    with Probe.of(schedule) as probe:
        end = time.monotonic() + SECONDS + 10
        while len(probe.answers) < schedule.most and time.monotonic() < end:
            time.sleep(0.5)
        answers = probe.stop()
    late = sorted(1000 * (answer.sent - answer.planned) for answer in answers)
    took = sorted(1000 * (answer.finished - answer.sent) for answer in answers)
    p99, worst = measures.quantile(late, 0.99), late[-1]
    answered = ", ".join(f"p{share} {measures.quantile(took, share / 100):.2f} ms" for share in (50, 99))
    failed = len(measures.failures(answers))
    return (
        f"{len(answers)} requests, {failed} failed, late p99 {p99:.2f} ms, most {worst:.1f} ms; "
        f"answers {answered}"
    )


def wrk(port: int) -> str:
    """wrk on the same server, a connection a request as the probe does; it sends as fast as it can."""
    if shutil.which("wrk") is None:
        return "wrk is not installed (apt install wrk)"
    done = subprocess.run(
        [
            "wrk",
            "-t1",
            "-c8",
            f"-d{SECONDS}s",
            "--latency",
            "-H",
            "Connection: close",
            f"http://127.0.0.1:{port}/",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rate = re.search(r"Requests/sec:\s+(\S+)", done)
    p50, p99 = re.search(r"50%\s+(\S+)", done), re.search(r"99%\s+(\S+)", done)
    assert rate and p50 and p99, done
    return f"wrk: {rate[1]} requests/s, answers p50 {p50[1]}, p99 {p99[1]}"


def made_up(folder: Path, count: int) -> Path:
    """A run of one scenario with `count` requests at 50 a second and an outage; returns its folder."""
    environment.STATE = folder
    run = runs.Run(config.load(), "made up", None, folder)
    begin = run.begin("A scenario").begin
    with run.record("probe", "/", 50).open("wb") as file:
        for number in range(count):
            file.write(answers.line(_answer(begin + number / 50, number / count)))
    run.journal.add(FaultPhase(at=begin + 0.4 * count / 50, id="f", phase="injected", name="kill"))
    run.end("passed")
    return run.folder


def _answer(due: float, share: float) -> Answer:
    took = 0.002 + 0.01 * random.random()
    if 0.4 < share < 0.5:  # noqa: PLR2004
        return Answer(due, due, due + took, 502, "", "", "", "http 502", "fail")
    return Answer(due, due, due + took, 200, "1.0", "blue", "swarm-node-01", None)


def drawing() -> Figure:
    """The report of 100,000 requests as a command, and reading their JSON alone."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = made_up(Path(temporary), DRAWN)
        begin = time.monotonic()
        subprocess.run([LAB, "report", str(folder)], check=True, capture_output=True)
        took = time.monotonic() - begin
        page = (folder / report.PAGE).stat().st_size / 1e6
        begin = time.monotonic()
        for record in folder.glob("*/*.jsonl"):
            for text in record.read_text().splitlines():
                json.loads(text)
        alone = time.monotonic() - begin
    return Figure(
        f"report of {DRAWN:,} requests",
        f"{took:.1f} s, a page of {page:.2f} MB",
        "5 s",
        f"{alone:.1f} s, reading their JSON alone",
    )


HOUR = """
import re, sys
from pathlib import Path
import pytest, scenarios.plugin

def most():
    # Not getrusage: its number is the parent's when that was the bigger one.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

bare = most()
from evidence import report
from evidence.answers import Record
kept = Record(next(Path(sys.argv[1]).glob("*/*.jsonl"))).more()
report.write(Path(sys.argv[1]))
print(most(), bare)
"""


def memory() -> Figure:
    """The harness with the answers of an hour in hand while it also draws their report."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = made_up(Path(temporary), AN_HOUR)
        done = subprocess.run(
            [sys.executable, "-c", HOUR, str(folder)],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    most, bare = done.stdout.split()
    return Figure(
        "memory of the harness, one hour at 50/s",
        f"{most} MB at the most",
        "300 MB",
        f"{bare} MB, with no answer yet",
    )
