from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import httpx
import pytest

from board import joining
from board.joining import LONGEST_PAUSE, PAUSE, Away, Reporter, Standing, first, keep, longer, origin, refusal
from board.looking import Inside
from board.reports import KEYS, parsed
from lab.errors import CheckFailed, ConfigError, HostError, LabError
from tests.board.test_reports import ADA

URL = "http://10.0.0.5:8765"


# --- deciding -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [URL, URL + "/", "http://[::1]:8765", "https://board.example"])
def test_where_a_board_is(url: str) -> None:
    assert origin(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    (
        *("", "10.0.0.5:8765", "ftp://x", "http://", "http://x:0", "http://x:99999", "http://x:y"),
        *("http://u:p@x", "http://x/events", "http://x/?a=b", "http://x/#y", "http://[::1", "javascript:x"),
        *("http://xn--/", "http://\udcff", f"http://{'a' * 64}", "http://a..b", "http://a b", "http://a\nb"),
    ),
)
def test_what_is_no_address_of_a_board_is_told(url: str) -> None:
    with pytest.raises(ConfigError, match="is no address of a board"):
        origin(url)


@pytest.mark.parametrize(
    ("status", "said", "kind", "exit_code", "word"),
    [
        (401, "", ConfigError, 2, "another token"),
        (409, "", ConfigError, 2, "somebody else"),
        (400, "", LabError, 5, "does not understand"),
        (503, "the room is full: 200 attendees report", CheckFailed, 1, "full"),
        (404, "", ConfigError, 2, "no board of a lab"),
        (302, "", ConfigError, 2, "no board of a lab"),
        (200, "<html>", ConfigError, 2, "no board of a lab"),
    ],
)
def test_each_refusal_has_its_words_and_exit_code(
    status: int, said: str, kind: type[LabError], exit_code: int, word: str
) -> None:
    refused = refusal(status, said, URL, "Ada")
    assert type(refused) is kind and refused.exit_code == exit_code
    assert word in str(refused) and "try next" in str(refused)


def test_a_report_that_was_taken_is_no_refusal() -> None:
    assert refusal(204, "", URL, "Ada") is None


@pytest.mark.parametrize("status", [408, 500, 502, 503])
def test_a_board_that_cannot_now_is_away(status: int) -> None:
    with pytest.raises(Away):
        refusal(status, "", URL, "Ada")


def test_what_a_server_says_is_one_short_line() -> None:
    refused = refusal(404, "x\x1b[31m\n" * 1000, URL, "Ada")
    assert refused is not None and "\x1b" not in str(refused) and len(str(refused.last_seen)) < 120


def test_pauses_grow_to_a_limit() -> None:
    pauses = [PAUSE]
    for _ in range(10):
        pauses.append(longer(pauses[-1]))
    assert pauses == sorted(pauses) and pauses[-1] == LONGEST_PAUSE


def test_an_attendee_stands_since_what_is_said_is_the_same() -> None:
    standing = Standing("Ada", 5, "0" * 32)
    spans = [
        (told.step, told.on_step, told.stuck)
        for told in (
            standing.report(Inside(at, step=step, check=check, colors={}))
            for at, step, check in [(10, 1, "a"), (14, 1, "a"), (18, 1, "b"), (22, 2, "b"), (30, 2, "b")]
        )
    ]
    assert spans == [(1, 0, 0), (1, 4, 4), (1, 8, 0), (2, 0, 0), (2, 8, 8)]


@pytest.mark.parametrize(
    "silent", [Inside(14.0, away="no lab is up"), Inside(14.0, wrong="Consul is silent")]
)
def test_a_lab_that_goes_down_leaves_the_attendee_at_the_step_it_was(silent: Inside) -> None:
    standing = Standing("Ada", 5, "0" * 32)
    standing.report(Inside(10.0, step=3, check="a", colors={"blue": "live"}))
    told = standing.report(silent)
    assert (told.step, told.check, told.stuck) == (3, silent.away or silent.wrong, 0)
    assert told.colors == {}


def test_a_lab_that_was_never_up_has_no_step() -> None:
    assert Standing("Ada", 5, "0" * 32).report(Inside(1.0, away="no lab is up")).step is None


# --- doing --------------------------------------------------------------------------------------------------


class Room:
    """A board that answers by a list, the last one for ever; an exception is raised."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers, self.asked = list(answers), list[httpx.Request]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer)


@pytest.fixture
def reporter(monkeypatch: pytest.MonkeyPatch) -> Callable[[Room], Reporter]:
    made = httpx.Client

    def of(room: Room) -> Reporter:
        transport = httpx.MockTransport(room)
        monkeypatch.setattr(httpx, "Client", lambda **options: made(**options, transport=transport))
        return Reporter(URL, "t" * 22)

    return of


def test_what_is_posted_has_the_token_and_no_key_but_those_of_a_report(
    reporter: Callable[[Room], Reporter],
) -> None:
    room = Room(204)
    assert reporter(room).post(ADA) is None
    (asked,) = room.asked
    assert (asked.method, str(asked.url)) == ("POST", f"{URL}/join")
    assert asked.headers["authorization"] == f"Bearer {'t' * 22}"
    assert parsed(asked.content) == ADA and set(vars(parsed(asked.content))) == set(KEYS)


def test_a_proxy_of_the_shell_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://10.9.9.9:3128")
    monkeypatch.setenv("ALL_PROXY", "socks5://10.9.9.9:1080")
    assert Reporter(URL, "t" * 22)._client._mounts == {}


@pytest.mark.parametrize("answer", [httpx.ConnectError("refused"), httpx.ReadTimeout("late"), 502])
def test_a_first_report_that_nobody_takes_is_an_error_of_the_host(
    answer: int | Exception, reporter: Callable[[Room], Reporter]
) -> None:
    room = Room(answer)
    with pytest.raises(HostError, match="no board answers at") as failed:
        first(reporter(room), ADA)
    assert failed.value.exit_code == 4 and len(room.asked) == 1


class Ended(threading.Event):
    """Ends after some reports, and notes the pauses instead of making them."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._left, self.pauses = after, list[float]()

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout or 0)
        self._left -= 1
        return self._left < 0


def test_a_board_that_goes_away_is_told_once_and_asked_after_growing_pauses(
    reporter: Callable[[Room], Reporter],
) -> None:
    gone = httpx.ConnectError("refused")
    room, ended, said = Room(204, gone, gone, 503, 204), Ended(6), list[str]()
    keep(reporter(room), lambda: ADA, said.append, ended)
    assert ended.pauses == [PAUSE, PAUSE, 2 * PAUSE, 4 * PAUSE, 8 * PAUSE, PAUSE, PAUSE]
    away, back = said
    assert "away (refused)" in away and "answers again" in back


def test_a_board_that_came_back_with_another_token_ends_the_reports(
    reporter: Callable[[Room], Reporter],
) -> None:
    room = Room(204, httpx.ConnectError("refused"), 401)
    with pytest.raises(ConfigError, match="another token"):
        keep(reporter(room), lambda: ADA, lambda _: None, Ended(9))
    assert len(room.asked) == 3


@pytest.fixture
def no_looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(joining, "LookInside", lambda lab: pytest.fail("it looked"))
    yield


@pytest.mark.usefixtures("no_looks")
@pytest.mark.parametrize(
    ("url", "name", "token"),
    [
        ("nowhere", "Ada", "t"),
        (URL, "a\nb", "t"),
        (URL, "Ada", ""),
        (URL, "Ada", "t\nx: y"),
        (URL, "Ada", "tökén"),
    ],
)
def test_words_that_are_wrong_are_told_before_anything_is_looked_at(url: str, name: str, token: str) -> None:
    with pytest.raises(ConfigError):
        joining.join(None, url, name, token, lambda _: None)  # type: ignore[arg-type]
