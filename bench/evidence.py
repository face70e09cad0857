"""Figures of the evidence: the probe's schedule beside wrk, the report beside reading its JSON, memory."""

from __future__ import annotations

import multiprocessing
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scenarios import verdicts
from scenarios.probe import Probe
from scenarios.sender import Schedule

RATE = 2000.0
SECONDS = 10
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


def probed(port: int, folder: Path) -> str:
    """What a probe at 2000/s met: how late it sent and how long the answers took."""
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
    p99, worst = verdicts.quantile(late, 0.99), late[-1]
    answered = ", ".join(f"p{share} {verdicts.quantile(took, share / 100):.2f} ms" for share in (50, 99))
    failed = len(verdicts.failures(answers))
    return (
        f"{len(answers)} requests, {failed} failed, late p99 {p99:.2f} ms, most {worst:.1f} ms; "
        f"answers {answered}"
    )


def wrk(port: int) -> str:
    """wrk on the same server, a connection a request as the probe does; it sends as fast as it can."""
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


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, server() as port:
        print(probed(port, Path(folder)))
        print(wrk(port))
