"""The process behind a probe: sends requests on a fixed schedule and records each answer.

`python -m evidence.sender SCHEDULE` (JSON). It ends when its input closes, which is also
what happens when the process that started it dies, or after the schedule's most requests, or when the lab's
network is gone.

A process of its own, because 2000 requests a second leave no room for the pauses that other threads of the
harness would make. One loop over sockets, because it is the sending moment that is measured: an HTTP client's
own work would be in it. Every request comes on a connection of its own, as a new user does: a kept connection
would stay with an old nginx worker after a cut-over, and a cut network would not be felt until it breaks.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import resource
import selectors
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httptools

from evidence.answers import Answer, Outcome, line
from lab.errors import HostError

FLUSH = 0.2  # seconds an answer may wait before it is in the record
LOOK = 0.5  # seconds between two looks at the network
NOT_OF_THE_SERVICE = {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}
ABORT_ON_CLOSE = struct.pack("ii", 1, 0)  # no TIME_WAIT: 2000 a second would use up the host's ports
RECEIVE = 65536
SUCCESS = range(200, 300)


MOST_REQUESTS = 500_000  # of one probe: 250 s at the highest rate, 2.7 hours at 50 a second
TIMEOUT = 5.0


@dataclass(frozen=True)
class Schedule:
    """What a sender is told: where, how often, where to record. `device` is the only way out it may use."""

    host: str
    port: int
    path: str
    rate: float
    device: str
    record: str
    books: str = ""  # the prefix of the ids of the books to write; empty: only ask
    timeout: float = TIMEOUT
    most: int = MOST_REQUESTS


class Reply:
    """An HTTP answer as it comes in: status, the lab's headers, and whether all of it is there."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.complete = False
        self._parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_message_complete(self) -> None:
        self.complete = True

    def feed(self, data: bytes) -> None:
        """Raises httptools.HttpParserError when this is not HTTP."""
        self._parser.feed_data(data)

    def ends_with_connection(self) -> bool:
        """Neither length nor chunks were told, so the connection's end is the answer's end."""
        return bool(self.headers) and not self.headers.keys() & {b"content-length", b"transfer-encoding"}

    @property
    def status(self) -> int:
        return self._parser.get_status_code()

    def end(self) -> None:
        """Let go of the parser: the two hold one another, and nobody collects cycles here."""
        del self._parser

    def said(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")


@dataclass(slots=True, eq=False)
class Request:
    """One request under way."""

    planned: float
    sent: float
    give_up: float
    book: str
    content: bytes
    connection: socket.socket | None = None
    asked: bool = False  # its bytes are on the way
    reply: Reply = field(default_factory=Reply)


def error_class(error: OSError) -> str:
    """A short word for a person, the same for the same cause."""
    match error:
        case ConnectionRefusedError():
            return "refused"
        case ConnectionResetError() | BrokenPipeError():
            return "reset"
        case TimeoutError():
            return "timeout"
    return errno.errorcode.get(error.errno or 0, type(error).__name__)


def outcome(error: str | None, *, write: bool, asked: bool) -> Outcome:
    """A write that was sent and not answered may have been done; an HTTP answer is always told."""
    if error is None:
        return "ok"
    if error.startswith("not sent"):
        return "unknown"
    return "unknown" if write and asked and not error.startswith("http ") else "fail"


def content(schedule: Schedule, book: str) -> bytes:
    """The bytes of a request."""
    body = b""
    if book:
        fields = {"_id": book, "title": book, "author": "the probe", "description": "written by a probe"}
        body = json.dumps(fields).encode()
    lines = [
        f"{'PUT' if book else 'GET'} {schedule.path} HTTP/1.1",
        f"Host: {schedule.host}",
        "User-Agent: bluegreen-lab-probe",
        "Connection: close",
    ]
    if book:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Sender:
    """Sends what is due, reads what comes, gives up what is late; one step of `run` does each once."""

    def __init__(
        self,
        schedule: Schedule,
        stopped: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._schedule = schedule
        self._stopped = stopped
        self._clock = clock
        # Moments are counted on the clock that never jumps and told on the wall's.
        self._wall = time.time() - clock()
        self._asking = content(schedule, "")
        self._selector = selectors.DefaultSelector()
        self._under_way: deque[Request] = deque()
        self._open = 0
        self._lines: list[bytes] = []
        self._flushed = self._looked = clock()
        self._device = socket.if_nametoindex(schedule.device)

    def run(self) -> None:
        """Raises HostError when the network is gone; what was recorded stays."""
        with self._selector, Path(self._schedule.record).open("ab", buffering=0) as record:
            try:
                self._ask(record.write)
            finally:
                self._close()

    def _ask(self, write: Callable[[bytes], object]) -> None:
        begin, count = self._clock(), 0
        stopping = False
        while self._open or not stopping:
            now = self._clock()
            stopping = stopping or count >= self._schedule.most or self._stopped()
            due = begin + count / self._schedule.rate
            while not stopping and due <= now and count < self._schedule.most:
                self._send(due, count)
                count += 1
                due = begin + count / self._schedule.rate
            self._read(self._pause(due, stopping))
            self._give_up()
            self._flush(write)
            self._look(write)
        self._flush(write, at_once=True)

    def _close(self) -> None:
        for request in self._under_way:
            if request.connection is not None:
                request.connection.close()

    def _pause(self, due: float, stopping: bool) -> float:
        """Seconds until something is to be done whatever the network says."""
        moments = [self._clock() + FLUSH]
        if not stopping:
            moments.append(due)
        if self._under_way:
            moments.append(self._under_way[0].give_up)
        return max(0.0, min(moments) - self._clock())

    def _send(self, planned: float, count: int) -> None:
        book = f"{self._schedule.books}{count}" if self._schedule.books else ""
        now = self._clock()
        request = Request(
            planned,
            now,
            now + self._schedule.timeout,
            book,
            content(self._schedule, book) if book else self._asking,
        )
        self._open += 1
        self._under_way.append(request)
        try:
            request.connection = self._connect()
        except OSError as error:
            self._lost(request, error)
            return
        self._selector.register(request.connection, selectors.EVENT_WRITE, request)

    def _connect(self) -> socket.socket:
        connection = socket.socket()
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT_ON_CLOSE)
            # By no other way: were the lab's network to go, its addresses may be somebody else's.
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._schedule.device.encode() + b"\0"
            )
            began = connection.connect_ex((self._schedule.host, self._schedule.port))
            if began not in (0, errno.EINPROGRESS):
                raise OSError(began, errno.errorcode.get(began, "connect"))
        except OSError:
            connection.close()
            raise
        return connection

    def _read(self, pause: float) -> None:
        for key, _ in self._selector.select(pause):
            request: Request = key.data
            try:
                self._advance(request)
            except OSError as error:
                self._lost(request, error)
            except httptools.HttpParserError:
                self._done(request, "not http")

    def _advance(self, request: Request) -> None:
        connection = request.connection
        assert connection is not None
        if not request.asked:
            failed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failed:
                # OSError(number, text) gives the number's own kind, such as ConnectionRefusedError.
                raise OSError(failed, errno.errorcode.get(failed, "connect"))
            request.asked = True
            connection.send(request.content)
            self._selector.modify(connection, selectors.EVENT_READ, request)
            return
        data = connection.recv(RECEIVE)
        if data:
            request.reply.feed(data)
        elif not request.reply.complete and not request.reply.ends_with_connection():
            self._done(request, "disconnected")
            return
        if request.reply.complete or not data:
            status = request.reply.status
            self._done(request, None if status in SUCCESS else f"http {status}", status)

    def _lost(self, request: Request, error: OSError) -> None:
        word = error_class(error)
        if error.errno in NOT_OF_THE_SERVICE:
            word = f"not sent: {word}"
        self._done(request, word)

    def _give_up(self) -> None:
        # All wait equally long, so the first sent is the first late.
        now = self._clock()
        while self._under_way and (self._ended(self._under_way[0]) or self._under_way[0].give_up <= now):
            request = self._under_way.popleft()
            if not self._ended(request):
                self._done(request, "timeout")

    @staticmethod
    def _ended(request: Request) -> bool:
        return request.give_up == 0.0

    def _done(self, request: Request, error: str | None, status: int | None = None) -> None:
        finished = self._clock()
        request.give_up = 0.0
        self._open -= 1
        if request.connection is not None:
            if request.connection.fileno() in self._selector.get_map():
                self._selector.unregister(request.connection)
            request.connection.close()
            request.connection = None
        reply = request.reply
        answer = Answer(
            round(self._wall + request.planned, 6),
            round(self._wall + request.sent, 6),
            round(self._wall + finished, 6),
            status,
            reply.said(b"x-release"),
            reply.said(b"x-color"),
            reply.said(b"x-node"),
            error,
            outcome(error, write=bool(request.book), asked=request.asked),
            request.book,
        )
        self._lines.append(line(answer))
        reply.end()

    def _flush(self, write: Callable[[bytes], object], *, at_once: bool = False) -> None:
        now = self._clock()
        if self._lines and (at_once or now - self._flushed >= FLUSH):
            write(b"".join(self._lines))
            self._lines.clear()
            self._flushed = now

    def _look(self, write: Callable[[bytes], object]) -> None:
        now = self._clock()
        if now - self._looked < LOOK:
            return
        self._looked = now
        if not same_device(self._schedule.device, self._device):
            self._flush(write, at_once=True)
            raise HostError(f"{self._schedule.device}, the lab's network, is gone: nothing more is sent")


def same_device(name: str, index: int) -> bool:
    try:
        return socket.if_nametoindex(name) == index
    except OSError:
        return False


def input_closed() -> Callable[[], bool]:
    """Asks whether whoever started this process has closed its input, or died."""
    watch = selectors.DefaultSelector()
    watch.register(sys.stdin, selectors.EVENT_READ)
    return lambda: bool(watch.select(0)) and not os.read(sys.stdin.fileno(), 1)


def main() -> None:
    schedule = Schedule(**json.loads(sys.argv[1]))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # an outage keeps rate * timeout sockets open
    gc.disable()  # a collection takes milliseconds, and what is used here is freed without it
    # The moment of sending is what counts, also on a busy host; it needs a quarter of a core at most. Who may
    # not ask for that goes on without.
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    try:
        Sender(schedule, input_closed()).run()
    except (HostError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
