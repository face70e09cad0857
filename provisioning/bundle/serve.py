"""Gives one bundle out to a room: read-only, and in parts to who was cut. The standard library only.

Who has the file has all of it, so nothing is asked of a client; what clients can cost is bounded.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import LineTooLong
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from typing import IO, Any

from lab.errors import HostError, printable
from lab.waiting import stretched
from provisioning.bundle import archive, fetch, manifest

CLIENTS = 100  # at once; the next one is told to come back
HEAD_BYTES = 8192  # of a request, all its headers included
SILENCE = 30.0  # seconds a client may take nothing
TAR = "application/x-tar"
RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass(frozen=True)
class Wanted:
    """What of a file is sent: the first byte and how many; `is_part` when somebody asked for just that."""

    begins: int
    count: int
    is_part: bool


def wanted(said: str | None, size: int) -> Wanted | None:
    """What the header Range asks of `size` bytes, None for what is not there. Pure.

    Several ranges, or another unit, are answered with the whole, as the standard allows.
    """
    found = RANGE.fullmatch(said or "")
    if not found:
        return Wanted(0, size, is_part=False)
    begins = int(found[1])
    ends = min(int(found[2]) + 1 if found[2] else size, size)
    return Wanted(begins, ends - begins, is_part=True) if begins < ends else None


class Server(ThreadingHTTPServer):
    """The bundle's server: `address` is (host, port). HostError when the port is taken or not this host's.

    `file` is held open, so what is given out stays one bundle when the file is replaced.
    """

    daemon_threads = True
    request_queue_size = 128  # a room comes at once

    def __init__(self, address: tuple[str, int], file: Path, say: Callable[[str], None]) -> None:
        self.say, self.text = say, archive.manifest_text(file)
        self.held = file.open("rb")
        self.tag = f'"{manifest.identity(self.text)}"'
        self._places = threading.BoundedSemaphore(CLIENTS)
        try:
            super().__init__(address, _Handler)
        except OSError as error:
            self.held.close()
            raise HostError(
                f"cannot listen on {address[0]}:{address[1]}",
                last_seen=str(error),
                try_next="another --port, or an address of this host for --bind (ip address)",
            ) from error

    def server_close(self) -> None:
        super().server_close()
        self.held.close()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            _refuse(request)
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to tell."""


class _Head:
    """The lines of a request, HEAD_BYTES at most: what is longer is answered with 431 or not at all."""

    def __init__(self, lines: IO[bytes]) -> None:
        self._lines, self._left = lines, HEAD_BYTES

    def readline(self, most: int) -> bytes:
        line = self._lines.readline(min(most, self._left + 1))
        self._left -= len(line)
        if self._left < 0:
            raise LineTooLong("head of a request")
        return line

    def close(self) -> None:
        self._lines.close()


class _Handler(BaseHTTPRequestHandler):
    """One request, then the connection is closed."""

    server: Server
    connection: socket
    rfile: Any  # a _Head
    server_version, sys_version = "bluegreen-lab", ""

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(stretched(SILENCE))
        self.rfile = _Head(self.rfile)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if self.path == fetch.MANIFEST:
            self._manifest(with_body=with_body)
        elif self.path == fetch.FILE:
            self._file(with_body=with_body)
        else:
            self.send_error(HTTPStatus.NOT_FOUND, f"here are {fetch.FILE} and {fetch.MANIFEST}")

    def _manifest(self, *, with_body: bool) -> None:
        self.send_response(HTTPStatus.OK)
        self._heads(len(self.server.text), "application/json")
        if with_body:
            self.wfile.write(self.server.text)

    def _file(self, *, with_body: bool) -> None:
        size = os.fstat(self.server.held.fileno()).st_size
        is_this_one = self.headers.get("If-Range", self.server.tag) == self.server.tag
        part = wanted(self.headers["Range"] if is_this_one else None, size)
        if part is None:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self._heads(0, TAR)
            return
        self.send_response(HTTPStatus.PARTIAL_CONTENT if part.is_part else HTTPStatus.OK)
        if part.is_part:
            self.send_header("Content-Range", f"bytes {part.begins}-{part.begins + part.count - 1}/{size}")
        self._heads(part.count, TAR)
        if with_body and part.count:
            self._send(part)

    def _heads(self, length: int, kind: str) -> None:
        said = {"Content-Length": str(length), "Content-Type": kind, "ETag": self.server.tag}
        for name, value in {**said, "Accept-Ranges": "bytes"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, part: Wanted) -> None:
        # Opened anew: threads share the place in an open file. By number: the name may be another's by now.
        with Path(f"/proc/self/fd/{self.server.held.fileno()}").open("rb") as file:
            self.connection.sendfile(file, part.begins, part.count)

    def log_message(self, format: str, *words: Any) -> None:
        """One line a request, to who called."""
        self.server.say(f"{self.client_address[0]}  {printable(format % words)}")


def _refuse(request: socket) -> None:
    with suppress(OSError):
        request.settimeout(1)
        request.sendall(b"HTTP/1.0 503 Too many clients at once\r\nRetry-After: 5\r\n\r\n")
