from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from evidence import answers, measures, sender
from evidence.answers import Answer
from evidence.sender import Reply, Schedule, Sender
from lab.errors import HostError
from lab.waiting import wait_until

ROOT = Path(__file__).parents[2]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Books(BaseHTTPRequestHandler):
    """Answers by the path: /ok, /bad, /slow, /cut (none), /text (no HTTP), /until-the-end (no length)."""

    protocol_version = "HTTP/1.1"
    put: list[str] = []  # noqa: RUF012  (cleared by the fixture)

    def do_GET(self) -> None:
        if self.path == "/cut":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if self.path == "/text":
            self.wfile.write(b"hello\r\n\r\n")
            return
        if self.path == "/slow":
            time.sleep(0.4)
        self.send_response(503 if self.path == "/bad" else 200)
        for name, value in (("X-Release", "1.0"), ("X-Color", "blue"), ("X-Node", "n1")):
            self.send_header(name, value)
        if self.path != "/until-the-end":
            self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")
        self.close_connection = True

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Books.put.append(body["_id"])
        self.do_GET()

    def log_message(self, format: str, *words: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gave up is a part of some tests."""


@pytest.fixture
def port() -> Iterator[int]:
    Books.put = []
    server = Server(("127.0.0.1", 0), Books)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def schedule(port: int, record: Path, path: str = "/ok", **options: object) -> Schedule:
    chosen = Schedule("127.0.0.1", port, path, 100, "lo", str(record), timeout=1.0, most=5)
    return replace(chosen, **options)  # type: ignore[arg-type]


def sent(plan: Schedule, stopped: Callable[[], bool] = lambda: False) -> list[Answer]:
    Sender(plan, stopped).run()
    return answers.read(Path(plan.record))


@pytest.mark.parametrize(
    ("path", "status", "error", "outcome"),
    [
        ("/ok", 200, None, "ok"),
        ("/until-the-end", 200, None, "ok"),
        ("/bad", 503, "http 503", "fail"),
        ("/cut", None, "disconnected", "fail"),
        ("/text", None, "not http", "fail"),
    ],
)
def test_every_answer_is_recorded_with_its_class(  # noqa: PLR0917
    port: int, tmp_path: Path, path: str, status: int | None, error: str | None, outcome: str
) -> None:
    found = sent(schedule(port, tmp_path / "p.jsonl", path))
    assert len(found) == 5
    assert {(a.status, a.error, a.outcome) for a in found} == {(status, error, outcome)}


def test_an_answer_tells_who_gave_it(port: int, tmp_path: Path) -> None:
    one = sent(schedule(port, tmp_path / "p.jsonl", most=1))[0]
    assert (one.release, one.color, one.node) == ("1.0", "blue", "n1")
    assert one.planned <= one.sent <= one.finished


def test_a_slow_answer_delays_no_request(port: int, tmp_path: Path) -> None:
    found = sent(schedule(port, tmp_path / "p.jsonl", "/slow", most=20))
    late = sorted(answer.sent - answer.planned for answer in found)
    assert measures.quantile(late, 0.9) < 0.1
    assert found[-1].planned - found[0].planned == pytest.approx(0.19, abs=0.001)
    assert min(answer.latency for answer in found) >= 0.4


def test_a_silent_server_is_a_timeout_and_is_waited_for_no_longer(port: int, tmp_path: Path) -> None:
    found = sent(schedule(port, tmp_path / "p.jsonl", "/slow", timeout=0.1))
    assert {(a.error, a.outcome) for a in found} == {("timeout", "fail")}
    assert max(a.latency for a in found) < 0.35


def test_nobody_listening_is_refused(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        found = sent(schedule(free.getsockname()[1], tmp_path / "p.jsonl"))
    assert {(a.error, a.outcome) for a in found} == {("refused", "fail")}


def test_a_writer_sends_a_book_of_its_own_each_time(port: int, tmp_path: Path) -> None:
    found = sent(schedule(port, tmp_path / "p.jsonl", "/ok", books="probe-7-"))
    assert [answer.book for answer in found] == [f"probe-7-{n}" for n in range(5)]
    assert sorted(Books.put) == [answer.book for answer in found]


def test_a_write_without_an_answer_is_unknown(port: int, tmp_path: Path) -> None:
    found = sent(schedule(port, tmp_path / "p.jsonl", "/slow", books="probe-7-", timeout=0.1))
    assert {(a.error, a.outcome) for a in found} == {("timeout", "unknown")}


@pytest.mark.parametrize(
    ("error", "write", "asked", "outcome"),
    [
        (None, True, True, "ok"),
        ("timeout", False, True, "fail"),
        ("timeout", True, True, "unknown"),
        ("reset", True, True, "unknown"),
        ("timeout", True, False, "fail"),
        ("refused", True, False, "fail"),
        ("http 503", True, True, "fail"),
        ("not sent: EMFILE", False, False, "unknown"),
    ],
)
def test_only_what_may_have_been_done_is_unknown(
    error: str | None, write: bool, asked: bool, outcome: str
) -> None:
    assert sender.outcome(error, write=write, asked=asked) == outcome


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (errno.ECONNREFUSED, "refused"),
        (errno.ECONNRESET, "reset"),
        (errno.EPIPE, "reset"),
        (errno.ETIMEDOUT, "timeout"),
        (errno.EHOSTUNREACH, "EHOSTUNREACH"),
    ],
)
def test_an_error_has_a_short_word(number: int, word: str) -> None:
    assert sender.error_class(OSError(number, "x")) == word


def test_what_this_host_could_not_send_says_nothing_of_the_service(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(self: Sender) -> socket.socket:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(Sender, "_connect", none_left)
    found = sent(schedule(port, tmp_path / "p.jsonl"))
    assert {(a.error, a.outcome) for a in found} == {("not sent: EMFILE", "unknown")}


def test_a_chunked_answer_is_complete_at_its_last_chunk() -> None:
    reply = Reply()
    reply.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Color: green\r\n\r\n2\r\n[")
    assert not reply.complete
    reply.feed(b"]\r\n0\r\n\r\n")
    assert (reply.complete, reply.status, reply.said(b"x-color")) == (True, 200, "green")


def test_nothing_more_is_sent_when_the_network_is_gone(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(sender, "LOOK", 0.05)
    monkeypatch.setattr(sender, "same_device", lambda name, index: len(seen.append(True) or seen) < 3)  # type: ignore[func-returns-value]
    plan = schedule(port, tmp_path / "p.jsonl", most=10_000)
    with pytest.raises(HostError, match="lo, the lab's network, is gone"):
        Sender(plan, lambda: False).run()
    assert 0 < len(answers.read(Path(plan.record))) < 100


def test_nothing_is_left_open_when_the_network_is_gone(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "LOOK", 0.1)
    before = open_files()
    asking = Sender(schedule(port, tmp_path / "p.jsonl", path="/slow", most=100), lambda: False)
    monkeypatch.setattr(sender, "same_device", lambda name, index: False)
    with pytest.raises(HostError):
        asking.run()
    # The server here is in the same process and closes its ends after a moment.
    wait_until(lambda: open_files() <= before, 5, "all files to be closed")
    del asking  # alive until here, so that its end closed nothing


@pytest.mark.parametrize(("name", "same"), [("lo", True), ("no-such-dev", False)])
def test_a_device_is_the_same_by_its_index(name: str, same: bool) -> None:
    assert sender.same_device(name, socket.if_nametoindex("lo")) is same


def test_another_device_of_that_name_is_not_the_same() -> None:
    assert not sender.same_device("lo", socket.if_nametoindex("lo") + 1000)


def start(plan: Schedule) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "evidence.sender", json.dumps(asdict(plan))],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: Path(plan.record).exists() and Path(plan.record).stat().st_size, 10, "answers")
    return process


def test_the_process_ends_when_its_input_closes(port: int, tmp_path: Path) -> None:
    process = start(schedule(port, tmp_path / "p.jsonl", most=10_000))
    _, said = process.communicate(timeout=5)
    assert (process.returncode, said) == (0, b"")


def test_a_killed_sender_leaves_a_readable_record(port: int, tmp_path: Path) -> None:
    plan = schedule(port, tmp_path / "p.jsonl", most=10_000)
    process = start(plan)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=5)
    assert len(answers.read(Path(plan.record))) > 0
