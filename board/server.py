"""The board over HTTP: the page, its events, and the reports of a room. Nothing of it commands a lab."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from board import reports
from board.channels import Channels
from board.room import Attendee, NameTaken, RoomFull, admitted
from lab.errors import ConfigError
from lab.waiting import stretched

PAGE = Path(__file__).parent / "page"
FILES = {"/": ("index.html", "text/html"), "/board.css": ("board.css", "text/css")}
FILES |= {"/board.js": ("board.js", "text/javascript"), "/icon.svg": ("icon.svg", "image/svg+xml")}
STREAMS = 300  # pages that look at once
BODY_WITHIN = 10.0  # seconds
HEADERS = {
    # Its own files and nothing else: no inline script, no frame of another page, no form to elsewhere.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def is_own(host: str, names: frozenset[str]) -> bool:
    """Whether a request's Host is an address, or a name of this board. Pure.

    Another name that leads here is a page's that wants to read this one as its own (DNS rebinding).
    """
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name.lower() in names:
        return True
    with suppress(ValueError):
        ip_address(name.removeprefix("[").removesuffix("]"))
        return True
    return False


class Guard:
    """Answers to nobody who came by another name, and says to browsers what the page may do."""

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        if is_own(host, self._names):
            await self._app(scope, receive, with_headers)
        else:
            refused = PlainTextResponse("the board is not called so: ask by its address\n", 421)
            await refused(scope, receive, with_headers)


class Board:
    """The answers. `changed` is called when the room is another one; `clock` is the wall's."""

    def __init__(
        self,
        channels: Channels,
        token: str,
        changed: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._channels, self._token, self._changed, self._clock = channels, token, changed, clock
        self.attendees: dict[str, Attendee] = {}

    def app(self, names: frozenset[str]) -> ASGIApp:
        routes = [
            *(Route(path, _file(*file), methods=["GET"]) for path, file in FILES.items()),
            Route("/events", self.events, methods=["GET"]),
            Route("/join", self.join, methods=["POST"]),
        ]
        return Guard(Starlette(routes=routes), names)

    async def events(self, request: Request) -> Response:
        if self._channels.streams >= STREAMS:
            return PlainTextResponse("too many pages look at this board\n", 503, {"retry-after": "30"})
        return StreamingResponse(self._channels.stream(), media_type="text/event-stream")

    async def join(self, request: Request) -> Response:
        """204, or why not: 400 no report, 401 another token, 409 the name is taken, 503 the room is full."""
        if not self._has_token(request):
            return PlainTextResponse("another token than this board's\n", 401)
        if request.headers.get("content-type") != "application/json":
            return PlainTextResponse("a report is application/json\n", 415)
        try:
            body = await asyncio.wait_for(_body(request), stretched(BODY_WITHIN))
        except TimeoutError:
            return PlainTextResponse("the report did not come\n", 408)
        except ClientDisconnect:
            return PlainTextResponse("the report was cut short\n", 400)
        if body is None:
            return PlainTextResponse(f"a report has at most {reports.MOST_BYTES} bytes\n", 413)
        return self._take(body)

    def _take(self, body: bytes) -> Response:
        try:
            self.attendees = admitted(self.attendees, reports.parsed(body), self._clock())
        except ConfigError as error:
            return PlainTextResponse(f"{error.what}\n", 400)
        except NameTaken as error:
            return PlainTextResponse(f"{error.what}\n", 409)
        except RoomFull as error:
            return PlainTextResponse(f"{error.what}\n", 503)
        self._changed()
        return Response(status_code=204)

    def _has_token(self, request: Request) -> bool:
        said = request.headers.get("authorization", "")
        return hmac.compare_digest(said.encode("latin-1"), f"Bearer {self._token}".encode())


async def _body(request: Request) -> bytes | None:
    """What was sent; None when it is too much, of which no more is read."""
    read = b""
    async for part in request.stream():
        read += part
        if len(read) > reports.MOST_BYTES:
            return None
    return read


def _file(name: str, kind: str) -> Callable[[Request], Response]:
    content = (PAGE / name).read_bytes()

    def answer(request: Request) -> Response:
        return Response(content, media_type=kind)

    return answer
