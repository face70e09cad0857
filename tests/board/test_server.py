from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import httpx
import pytest

from board import reports, room, server
from board.channels import Channels
from board.reports import MOST_BYTES
from board.server import Board, is_own
from tests.board.test_reports import ADA

TOKEN = "t" * 22
ORIGIN = "http://127.0.0.1:8765"
HEADERS = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}


class Here:
    """A board that is asked in this process."""

    def __init__(self) -> None:
        self.now, self.changes = 1000.0, 0
        self.channels = Channels()
        self.board = Board(self.channels, TOKEN, self._change, clock=lambda: self.now)

    def _change(self) -> None:
        self.changes += 1

    def ask(self, method: str, path: str, origin: str = ORIGIN, **options: object) -> httpx.Response:
        async def play() -> httpx.Response:
            transport = httpx.ASGITransport(self.board.app(frozenset({"localhost", "room"})))
            async with httpx.AsyncClient(transport=transport, base_url=origin) as client:
                return await client.request(method, path, **options)  # type: ignore[arg-type]

        return asyncio.run(play())

    def join(self, content: object = None, **headers: str) -> httpx.Response:
        body = reports.text(ADA) if content is None else content
        return self.ask("POST", "/join", content=body, headers={**HEADERS, **headers})


@pytest.fixture
def here() -> Here:
    return Here()


# --- the page -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/board.css", "text/css"),
        ("/board.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
    ],
)
def test_the_page_is_its_own_files_and_may_load_nothing_else(path: str, kind: str, here: Here) -> None:
    answer = here.ask("GET", path)
    assert answer.status_code == httpx.codes.OK and answer.headers["content-type"].startswith(kind)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert "set-cookie" not in answer.headers and answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_asks_nobody_but_the_board() -> None:
    texts = {path.name: path.read_text() for path in server.PAGE.iterdir()}
    found = {one for text in texts.values() for one in re.findall(r"""["'(](?:https?:)?//[^"')]*""", text)}
    assert found == {'"http://www.w3.org/2000/svg'}  # the name of a language, which nobody asks for
    assert "innerHTML" not in texts["board.js"] and "<style" not in texts["index.html"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/", 405),
        ("PUT", "/join", 405),
        ("GET", "/join", 405),
        ("GET", "/../reports.py", 404),
        ("GET", "/x", 404),
    ],
)
def test_there_is_nothing_else(method: str, path: str, status: int, here: Here) -> None:
    answer = here.ask(method, path)
    assert answer.status_code == status and "content-security-policy" in answer.headers


@pytest.mark.parametrize("path", ["/", "/events", "/join"])
def test_who_comes_by_a_foreign_name_is_told_nothing(path: str, here: Here) -> None:
    answer = here.ask("GET", path, origin="http://evil.example:8765")
    assert answer.status_code == httpx.codes.MISDIRECTED_REQUEST and "evil" not in answer.text


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1:8765", True),
        ("127.0.0.1", True),
        ("[::1]:8765", True),
        ("[::1]", True),
        ("10.0.0.7:80", True),
        ("localhost:8765", True),
        ("ROOM", True),
        ("room.evil.example", False),
        ("127.0.0.1.evil.example:8765", False),
        ("evil.example", False),
        ("", False),
        (":8765", False),
    ],
)
def test_a_board_goes_by_addresses_and_its_own_names(host: str, own: bool) -> None:
    assert is_own(host, frozenset({"localhost", "room"})) is own


# --- events -------------------------------------------------------------------------------------------------


def test_events_are_told_as_a_stream(here: Here) -> None:
    here.channels.tell("room", [])
    here.channels.end()
    answer = here.ask("GET", "/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.endswith("event: room\ndata: []\n\nevent: end\ndata: {}\n\n")


def test_more_pages_than_the_board_serves_are_told_to_come_back(here: Here) -> None:
    here.channels.streams = server.STREAMS
    answer = here.ask("GET", "/events")
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and answer.headers["retry-after"]


# --- reports ------------------------------------------------------------------------------------------------


def test_a_report_with_the_token_is_in_the_room_at_once(here: Here) -> None:
    assert here.join().status_code == httpx.codes.NO_CONTENT
    assert [one.report for one in here.board.attendees.values()] == [ADA]
    assert here.changes == 1


@pytest.mark.parametrize(
    "said", ["", TOKEN, "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"bearer {TOKEN}", "Bearer \xfc"]
)
def test_another_token_is_refused_before_a_byte_of_the_report_is_read(said: str, here: Here) -> None:
    async def body() -> AsyncIterator[bytes]:
        pytest.fail("it was read")
        yield b""

    answer = here.ask(
        "POST", "/join", content=body(), headers={**HEADERS, "authorization": said.encode("latin-1")}
    )
    assert answer.status_code == httpx.codes.UNAUTHORIZED
    assert here.changes == 0 and TOKEN not in answer.text


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_what_a_foreign_page_could_post_is_no_report(kind: str, here: Here) -> None:
    assert here.join(**{"content-type": kind}).status_code == httpx.codes.UNSUPPORTED_MEDIA_TYPE


def test_a_report_that_is_too_long_is_not_read_to_its_end(here: Here) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(1000):
            read += 1000
            yield b" " * 1000

    assert here.join(body()).status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
    assert read <= MOST_BYTES + 2000


def test_a_report_that_never_ends_is_given_up(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "BODY_WITHIN", 0.05)

    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    assert here.join(body()).status_code == httpx.codes.REQUEST_TIMEOUT


@pytest.mark.parametrize("content", [b"", b"no JSON", b"{}", b"\xff\xfe"])
def test_what_is_no_report_is_refused_in_words(content: bytes, here: Here) -> None:
    answer = here.join(content)
    assert answer.status_code == httpx.codes.BAD_REQUEST and "report" in answer.text
    assert here.board.attendees == {}


def test_a_second_live_attendee_of_a_name_is_told_so(here: Here) -> None:
    here.join()
    answer = here.join(reports.text(replace(ADA, secret="1" * 32)))
    assert answer.status_code == httpx.codes.CONFLICT and "Ada" in answer.text
    here.now += room.SILENT + 1
    assert here.join(reports.text(replace(ADA, secret="1" * 32))).status_code == httpx.codes.NO_CONTENT


def test_a_full_room_is_told(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST", 1)
    here.join()
    answer = here.join(reports.text(replace(ADA, name="Bob")))
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and "full" in answer.text


def test_no_answer_of_any_kind_is_an_error_of_the_board(here: Here) -> None:
    odd: list[Callable[[], httpx.Response]] = [
        lambda: here.ask("GET", "/%00"),
        lambda: here.ask("GET", "/" + "a" * 5000),
        lambda: here.ask("GET", "/events?" + "x" * 5000, origin="http://evil"),
        lambda: here.join(b"\x00" * 100),
        lambda: here.join(b'{"name": "\\ud800"}'),
    ]
    assert all(ask().status_code < httpx.codes.INTERNAL_SERVER_ERROR for ask in odd)
