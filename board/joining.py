"""An attendee's side: looks at the own lab and tells the board how that stands, until Ctrl-C.

`origin`, `refusal` and `Standing` decide and are pure; `Reporter` posts.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from board import reports
from board.looking import Inside, LookInside, Unchanged, one_line
from board.reports import Report
from lab import http
from lab.errors import CheckFailed, ConfigError, HostError, LabError, shown
from lab.model import Lab

Say = Callable[[str], None]
TIMEOUT = 5.0
PAUSE = 3.0  # seconds between two reports
MOST_SAID = 100  # characters of what another server says
LONGEST_PAUSE = 30.0  # while the board is away


class Away(Exception):
    """The board does not answer now, and may later."""


# --- deciding -----------------------------------------------------------------------------------------------


def origin(url: str) -> str:
    """Where the board is, such as http://10.0.0.5:8765. Raises ConfigError for what is no such address."""
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        is_one = is_one and url.isprintable() and " " not in url and http.leads_somewhere(url)
    except ValueError:
        is_one = False
    if not is_one or parts.username or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ConfigError(
            f"{shown(url)} is no address of a board",
            try_next="as the board printed it: --join http://HOST:PORT",
        )
    return f"{parts.scheme}://{parts.netloc}"


def refusal(status: int, said: str, where: str, name: str) -> LabError | None:
    """Why the board will not take the reports of this process; None when it took one. Pure.

    Raises Away for what may be better later.
    """
    last_seen = f"{status}: {one_line(said, MOST_SAID)}"
    again = "the line that the board printed at its start"
    match status:
        case 204:
            return None
        case 401:
            return ConfigError("the board takes another token", last_seen=last_seen, try_next=again)
        case 409:
            return ConfigError(
                f"somebody else reports to the board as {name} now",
                last_seen=last_seen,
                try_next="the same with another name: --as NAME",
            )
        case 400 | 413 | 415:
            return LabError(
                "the board does not understand the report",
                last_seen=last_seen,
                try_next="the same version of the lab as the board has",
            )
        case 503 if "full" in said:
            return CheckFailed("the room is full", last_seen=last_seen, try_next="ask who keeps the board")
        case 408 | 429 | 500 | 502 | 503 | 504:
            raise Away(last_seen)
    return ConfigError(f"no board of a lab is at {where}", last_seen=last_seen, try_next=again)


class Standing:
    """How an attendee stands, from look to look: what is the same, and since when."""

    def __init__(self, name: str, of: int, secret: str) -> None:
        self._name, self._of, self._secret = name, of, secret
        self._step: int | None = None
        self._on_step, self._stuck = Unchanged(), Unchanged()

    def report(self, seen: Inside) -> Report:
        """A lab that tells no step stands where it was; that it does not tell is what it is stuck on."""
        self._step = seen.step or self._step
        check = seen.away or seen.wrong or seen.check
        on_step = self._on_step.since(self._step, seen.at)
        stuck = self._stuck.since((self._step, check), seen.at)
        return Report(
            *(self._name, self._secret, self._step, self._of, check),
            on_step=seen.at - on_step,
            stuck=seen.at - stuck,
            colors=dict(seen.colors or {}),
        )


def longer(pause: float) -> float:
    """The pause after this one, while the board is away. Pure."""
    return min(2 * pause, LONGEST_PAUSE)


# --- doing --------------------------------------------------------------------------------------------------


class Reporter:
    """Posts reports to one board."""

    def __init__(self, where: str, token: str) -> None:
        self.where = where
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        # By no proxy: the board is in the room.
        self._client = http.client(TIMEOUT, base_url=where, headers=headers, trust_env=False)

    def post(self, report: Report) -> LabError | None:
        """None, or why the board takes no report of this process. Raises Away."""
        try:
            answer = self._client.post("/join", content=reports.text(report))
        except http.error() as error:
            raise Away(str(error) or type(error).__name__) from error
        return refusal(answer.status_code, answer.text, self.where, report.name)


def join(lab: Lab, url: str, name: str, token: str, say: Say) -> None:
    """Report until Ctrl-C. Raises what the board refuses with, or HostError when none answers."""
    where, name = origin(url), reports.name(name)
    if not token.isascii() or not token.isprintable() or not token:
        raise ConfigError("that is no token of a board", try_next="the line that the board printed")
    look = LookInside(lab)
    standing = Standing(name, len(look.steps), secrets.token_hex(reports.SECRET // 2))
    reporter = Reporter(where, token)
    first(reporter, standing.report(look()))
    say(f"{where} shows your step as {name}; Ctrl-C ends that")
    keep(reporter, lambda: standing.report(look()), say, threading.Event())


def first(reporter: Reporter, report: Report) -> None:
    """The first report, for which nothing is tried twice: the address may be wrong."""
    try:
        refused = reporter.post(report)
    except Away as error:
        raise HostError(
            f"no board answers at {reporter.where}",
            last_seen=str(error),
            try_next="ask who keeps the board for its line: lab board --join URL --token TOKEN --as NAME",
        ) from error
    if refused:
        raise refused


def keep(reporter: Reporter, look: Callable[[], Report], say: Say, ended: threading.Event) -> None:
    """Report again and again; a board that went away is told once and asked after growing pauses.

    Raises what the board refuses with.
    """
    pause, is_away = PAUSE, False
    while not ended.wait(pause):
        try:
            refused = reporter.post(look())
        except Away as error:
            if not is_away:
                say(f"the board at {reporter.where} is away ({error}); trying again until Ctrl-C")
            is_away, pause = True, longer(pause)
            continue
        if refused:
            raise refused
        if is_away:
            say(f"{time.strftime('%H:%M:%S')}: the board answers again")
        pause, is_away = PAUSE, False
