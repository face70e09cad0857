"""Steady requests, each answer recorded: what users of the service felt.

The schedule is fixed beforehand (open loop): a slow answer never delays the next request, so an outage
is not hidden by the probe waiting in it.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from lab.config import Lab
from lab.errors import ConfigError, LabError
from lab.network import require_present

MOST_PER_SECOND = 200
MOST_SECONDS = 900.0
TIMEOUT = 5.0


@dataclass(frozen=True)
class Answer:
    """One request: seconds of the wall clock, and who answered what. `error` names a failure's class."""

    planned: float
    sent: float
    finished: float
    status: int | None
    release: str
    color: str
    node: str
    error: str | None

    @property
    def failed(self) -> bool:
        return self.error is not None


def outcome(status: int) -> str | None:
    """The error class of a status, or None for a success."""
    return None if httpx.codes.is_success(status) else f"http {status}"


class Probe:
    """Asks one path of the public address `rate` times a second from `start` to `stop`; a context manager."""

    def __init__(self, lab: Lab, path: str, rate: float, record: Path | None = None) -> None:
        if not 0 < rate <= MOST_PER_SECOND:
            raise ConfigError(
                f"{rate:g} requests a second", try_next=f"more than 0, at most {MOST_PER_SECOND}"
            )
        require_present(lab)
        self.answers: list[Answer] = []
        self._url = f"http://{lab.master.address}{path}"
        self._pause = 1 / rate
        self._record = record
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> list[Answer]:
        """No more requests; waits for those under way. Raises LabError when the probe itself broke."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(TIMEOUT + 5)
        if self._failure is not None:
            raise LabError("the probe broke", last_seen=repr(self._failure))
        return sorted(self.answers, key=lambda answer: answer.planned)

    def __enter__(self) -> Probe:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            asyncio.run(self._ask_on_schedule())
        except BaseException as error:  # kept for the thread that calls stop()
            self._failure = error

    async def _ask_on_schedule(self) -> None:
        # A connection a request, as new users would come.
        limits = httpx.Limits(max_keepalive_connections=0)
        begin_wall, begin = time.time(), time.monotonic()
        client = httpx.AsyncClient(timeout=TIMEOUT, limits=limits, trust_env=False)
        async with client, asyncio.TaskGroup() as requests:
            count = 0
            while not self._stopping.is_set() and count * self._pause < MOST_SECONDS:
                await asyncio.sleep(max(0.0, begin + count * self._pause - time.monotonic()))
                requests.create_task(self._ask(client, begin_wall + count * self._pause))
                count += 1

    async def _ask(self, client: httpx.AsyncClient, planned: float) -> None:
        sent = time.time()
        try:
            response = await client.get(self._url)
        except httpx.HTTPError as error:
            answer = Answer(planned, sent, time.time(), None, "", "", "", type(error).__name__)
        else:
            release, color, node = (
                response.headers.get(f"X-{name}", "") for name in ("Release", "Color", "Node")
            )
            status = response.status_code
            answer = Answer(planned, sent, time.time(), status, release, color, node, outcome(status))
        self.answers.append(answer)
        if self._record is not None:
            with self._record.open("a") as file:
                file.write(json.dumps(asdict(answer)) + "\n")


def read(record: Path, warn: Callable[[str], None] = lambda _: None) -> list[Answer]:
    """The answers of a record; a last line cut short by a kill is passed over."""
    answers = []
    for line in record.read_text().splitlines():
        try:
            answers.append(Answer(**json.loads(line)))
        except json.JSONDecodeError:
            warn(f"{record}: a line is cut short")
    return answers
