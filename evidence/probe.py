"""Steady requests, each answer recorded: what users of the service felt.

The schedule is fixed beforehand (open loop): a slow answer never delays the next request, so an outage
is not hidden by the probe waiting in it.

The requests are sent by a process of its own (evidence/sender.py). This class starts it, follows the record
it writes and ends it; when this process dies, the sender sees its input close and ends too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

from evidence.answers import Answer, Record
from evidence.sender import MOST_REQUESTS, TIMEOUT, Schedule
from lab import named
from lab.clients.proxy import ProxyClient
from lab.errors import ConfigError, LabError, TimedOut
from lab.model import Lab
from lab.network import device_towards, require_present
from lab.waiting import stretched, wait_until

MOST_PER_SECOND = 2000.0
MOST_WRITES_PER_SECOND = 50.0
ENDING = 10.0  # seconds the sender gets for the requests under way
ROOT = Path(__file__).resolve().parent.parent


class Probe:
    """Asks one path of the public address `rate` times a second from `start` to `stop`; a context manager.

    `answers` are those recorded so far. It ends by itself after `most` requests.
    """

    def __init__(
        self,
        lab: Lab,
        path: str,
        rate: float,
        record: Path,
        *,
        books: str = "",
        most: int = MOST_REQUESTS,
    ) -> None:
        fastest = MOST_WRITES_PER_SECOND if books else MOST_PER_SECOND
        if not 0 < rate <= fastest:
            raise ConfigError(f"{rate:g} requests a second", try_next=f"more than 0, at most {fastest:g}")
        require_present(lab)
        device = device_towards(lab.master.address)
        assert device is not None, "require_present found the way to the master"
        schedule = Schedule(
            lab.master.address,
            80,
            path,
            rate,
            device,
            str(record),
            books=books,
            timeout=stretched(TIMEOUT),
            most=most,
        )
        self._begin(schedule)

    @classmethod
    def of(cls, schedule: Schedule) -> Probe:
        """A probe of any address, for measuring the probe itself."""
        probe = cls.__new__(cls)
        probe._begin(schedule)
        return probe

    def _begin(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._record = Record(Path(schedule.record))
        self._answers: list[Answer] = []
        self._lock = threading.Lock()
        self._sender: subprocess.Popen[bytes] | None = None
        self._stopped = False

    @property
    def answers(self) -> list[Answer]:
        """Those that came so far, in the order they came."""
        with self._lock:
            self._answers.extend(self._record.more())
            return self._answers

    @property
    def is_running(self) -> bool:
        """Whether its process is there: it ends after `most` requests, and when the lab's network is gone."""
        return self._sender is not None and self._sender.poll() is None

    def start(self) -> None:
        Path(self.schedule.record).parent.mkdir(parents=True, exist_ok=True)
        # Of a session of its own: a Ctrl-C is for who began it, and ends it through that.
        self._sender = subprocess.Popen(
            [sys.executable, "-m", "evidence.sender", json.dumps(asdict(self.schedule))],
            cwd=ROOT,
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def stop(self) -> list[Answer]:
        """No more requests; waits for those under way. Raises LabError when the probe itself broke."""
        if self._sender is not None and not self._stopped:
            self._stopped = True
            self._end(self._sender)
        return sorted(self.answers, key=lambda answer: answer.planned)

    def kill(self) -> None:
        """No more requests, and none under way: for who does not want their answers."""
        self._stopped = True
        if self._sender is not None:
            self._sender.kill()
            self._sender.communicate()

    def _end(self, sender: subprocess.Popen[bytes]) -> None:
        try:
            _, said = sender.communicate(timeout=self.schedule.timeout + stretched(ENDING))
        except subprocess.TimeoutExpired as error:
            sender.kill()
            sender.communicate()
            raise TimedOut("the probe did not end", last_seen=self.schedule.record) from error
        if sender.returncode != 0:
            _broke(said.decode(errors="replace"))

    def __enter__(self) -> Probe:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _broke(said: str) -> NoReturn:
    raise LabError("the probe broke", last_seen=said.strip()[-600:], try_next=named.command("status"))


class Writer(Probe):
    """A probe that writes books of its own, so that what was acknowledged can be looked for afterwards."""

    def __init__(self, lab: Lab, path: str, rate: float, record: Path) -> None:
        super().__init__(lab, path, rate, record, books=f"probe-{uuid4().hex[:8]}-")
        self._lab = lab

    @property
    def acknowledged(self) -> frozenset[str]:
        """The ids of the books the service said it has."""
        return frozenset(answer.book for answer in self.answers if answer.outcome == "ok")

    def present(self) -> frozenset[str]:
        """The ids of this writer's books that the service lists now."""
        proxy = ProxyClient(self._lab)
        try:
            ids = {str(book["_id"]) for book in proxy.books()}
        finally:
            proxy.close()
        return frozenset(one for one in ids if one.startswith(self.schedule.books))

    def clean_up(self) -> None:
        """Remove every book it wrote, acknowledged or not."""

        def gone() -> bool:
            proxy = ProxyClient(self._lab)
            try:
                for one in self.present():
                    proxy.delete(one)
            finally:
                proxy.close()
            return not self.present()

        wait_until(gone, 30, "the probe's books to be removed", try_next=named.command("reset"))
