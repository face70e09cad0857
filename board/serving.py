"""Opens the board: its address, the looks in the background, and its end."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from types import FrameType
from typing import Any, NoReturn

import uvicorn

from board import room, snapshot
from board.channels import Channels
from board.looking import PAUSE_AROUND, PAUSE_INSIDE, Again, Around, Inside, LookAround, LookInside, Unchanged
from board.server import Board
from board.traffic import Second, Traffic
from lab import named
from lab.errors import ConfigError, HostError, shown
from lab.model import Lab
from lab.waiting import stretched

ADDRESS, PORT = "127.0.0.1", 8765
TOKEN_BYTES = 16
BACKLOG = 256  # a room comes at once
CONNECTIONS = 600
BEAT = 1.0  # seconds between two pictures of the requests


# --- where it listens ---------------------------------------------------------------------------------------


def listen(address: str, port: int) -> socket.socket:
    """A socket that listens there. Raises ConfigError for what is no address, HostError for a taken port."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"{shown(address)} is no address", last_seen=str(error), try_next="ip address"
        ) from error
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(place)
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        other = listener(port) if error.errno == errno.EADDRINUSE else ""
        raise HostError(
            f"cannot listen on {url(address, port)}",
            last_seen="\n".join(filter(None, (str(error), other))),
            try_next=named.command("board --port 0") + " takes a free port, --address another address "
            "of this host (ip address)",
        ) from error
    return opened


def listener(port: int) -> str:
    """Who listens on a port, as `ss` tells it; empty when it does not."""
    try:
        done = subprocess.run(
            ["ss", "-Hltnp", f"sport = :{port}"],
            capture_output=True,
            text=True,
            timeout=stretched(5),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def url(address: str, port: int) -> str:
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def is_loopback(opened: socket.socket) -> bool:
    """Whether only this host reaches it."""
    return ip_address(opened.getsockname()[0]).is_loopback


def names(address: str) -> frozenset[str]:
    """How a browser may call the board, beside its address."""
    return frozenset({address.lower(), "localhost", socket.gethostname().lower()})


# --- who may report ---------------------------------------------------------------------------------------


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def sound(token: str) -> str:
    """A token of a board before, so that the labs which report to that one go on. Raises ConfigError."""
    if not re.fullmatch(r"[\w-]{20,100}", token, re.ASCII):
        raise ConfigError(
            "that is no token of a board",
            try_next="the one that a board printed, or none: then it makes one",
        )
    return token


# --- what it shows ------------------------------------------------------------------------------------------


class Shown:
    """Puts what was seen on the channels. All of it runs in the server's loop."""

    def __init__(self, lab: Lab, inside: LookInside, channels: Channels) -> None:
        self._lab, self._steps, self._channels = lab, inside.steps, channels
        self._around: Around | None = None
        self._inside: Inside | None = None
        self._state, self._stuck = Unchanged(), Unchanged()

    def around(self, seen: Around) -> None:
        self._around = seen
        self.lab()

    def inside(self, seen: Inside) -> None:
        self._inside = seen
        self.lab()

    def lab(self) -> None:
        now = time.time()
        word, _ = snapshot.state(self._around, self._inside)
        step = self._inside and (self._inside.step, self._inside.check)
        told = snapshot.lab(
            *(self._lab, self._steps, self._around, self._inside),
            since=self._state.since(word, now),
            stuck=self._stuck.since(step, now),
        )
        self._channels.tell("lab", told)


# --- serving ------------------------------------------------------------------------------------------------


def leave() -> NoReturn:
    """End this process now: a look under way only reads, and would wait long for a node that is frozen."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


class _Server(uvicorn.Server):
    """Ends at the first signal, and its streams with it."""

    def __init__(self, config: uvicorn.Config, end: Callable[[], None]) -> None:
        super().__init__(config)
        self._end = end

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not noted as uvicorn does, which would raise it again: a signal is how a board ends.
        self.should_exit = True
        self._end()


class Serving:
    """One board: its parts, told apart by who runs them. The looks and the traffic are threads."""

    _loop: asyncio.AbstractEventLoop  # of the server, while it runs

    def __init__(self, lab: Lab, opened: socket.socket, address: str, token: str) -> None:
        self._opened, self._address = opened, address
        self._is_here = False  # the lab's network, by the last look
        self._channels = Channels()
        self._board = Board(self._channels, token, self._room)
        around, inside = LookAround(lab), LookInside(lab)
        self._shown = Shown(lab, inside, self._channels)
        self._traffic = Traffic(lab)
        self._threads: tuple[Again[Any], ...] = (
            Again(around, self._later(self._saw_around), PAUSE_AROUND),
            Again(inside, self._later(self._shown.inside), PAUSE_INSIDE),
            Again(self._beat, self._later(self._beats), BEAT),
        )

    def _later(self, tell: Callable[[Any], None]) -> Callable[[Any], None]:
        """Told in the server's loop, from any thread; nobody is told any more once that is closed."""

        def told(seen: Any) -> None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(tell, seen)

        return told

    def _saw_around(self, seen: Around) -> None:
        self._is_here = not seen.away
        self._shown.around(seen)

    def _beat(self) -> list[Second]:
        self._traffic.keep(present=self._is_here)
        return self._traffic.seconds(time.time())

    def _beats(self, seconds: list[Second]) -> None:
        self._channels.tell("traffic", snapshot.traffic(seconds, time.time()))
        self._room()  # who is silent changes with time alone

    def _room(self) -> None:
        self._channels.tell("room", room.rows(self._board.attendees.values(), time.time()))

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._channels.end)

    def run(self) -> None:
        """Until SIGINT or SIGTERM."""
        config = uvicorn.Config(
            self._board.app(names(self._address)),
            http="h11",  # it bounds a request's head
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=2,
        )
        server = _Server(config, self._end)
        self._loop = asyncio.new_event_loop()
        self._shown.lab()
        for thread in self._threads:
            thread.start()
        try:
            self._loop.run_until_complete(server.serve([self._opened]))
        finally:
            for thread in self._threads:
                thread.end()
            self._traffic.end()
            self._loop.close()
