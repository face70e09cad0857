"""What Consul, Swarm, Jenkins and the nodes' logs said during a run, on this host's clock.

Each watcher is a thread that looks, writes what changed to the run's journal, and goes on when whom it
watches is dead: that is an entry too. What was so at the first look is marked `first`.
`changes` and `interesting` decide and are pure.
"""

from __future__ import annotations

import base64
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import httpx

from evidence.entries import LogLine, Silence, of
from evidence.journal import Journal
from lab import machines
from lab.clients.swarm import SwarmClient
from lab.model import Lab
from lab.network import require_present
from lab.waiting import stretched
from provisioning.stages import healths

PAUSE = 0.5  # seconds between two looks
WAIT = 2  # seconds Consul may keep a question until something changes
ANSWERS_WITHIN = 4.0
LINES_A_SECOND = 20  # of one log; more are counted, not kept
ALIKE = 10.0  # seconds in which a line like one that was kept is counted only
LINE = 300  # characters
HEADER = re.compile(r"==> (\S+) <==")
COLORED = re.compile(r"\x1b\[[0-9;]*m|\\033\[[0-9;]*m")
# What the healing says at each look, and what Consul says at each reload.
TALK = re.compile(r"^\[.*|^Consul watch request:$|agent\.auto_config|The 'handler' field")
# Of a unit's log only what tells of its life or of trouble; the rest is its daily talk.
TELLING = re.compile(
    r"\[WARN\]|\[ERROR\]|level=(error|fatal)|Started |Stopped |Stopping |Killed|Failed|exited|panic|leader|"
    r"EventMember|marking|Synced check|OutOfMemory"
)

Facts = dict[str, Any]
State = Mapping[str, Facts]


# --- deciding ---------------------------------------------------------------------------------------------


def changes(was: State, now: State) -> list[Facts]:
    """What is different, one fact each: the thing's own facts with `was` and `now`; "" is "not there"."""
    found = []
    for key in sorted(was.keys() | now.keys()):
        before, after = was.get(key, {}).get("now", ""), now.get(key, {}).get("now", "")
        if before != after:
            found.append({**(now.get(key) or was[key]), "was": before, "now": after})
    return found


def checks(answer: Iterable[Facts]) -> State:
    """Consul's `health/state/any` as what can change."""
    return {
        f"{check['Node']}/{check['CheckID']}": {
            "node": check["Node"],
            "check": check["CheckID"],
            "service": check["ServiceName"],
            "now": check["Status"],
        }
        for check in answer
    }


def colors(answer: Iterable[Facts]) -> State:
    """Consul's keys below `services/` as the color of each service."""
    found = {}
    for entry in answer:
        parts = str(entry["Key"]).split("/")
        if parts[-1] == "color" and entry.get("Value"):
            found[entry["Key"]] = {"color_of": parts[-2], "now": base64.b64decode(entry["Value"]).decode()}
    return found


def builds(answer: Facts) -> State:
    """Jenkins' jobs and builds as what can change."""
    return {
        f"{job['name']}/{build['number']:06d}": {
            "job": job["name"],
            "build": build["number"],
            "seconds": round(build.get("duration", 0) / 1000, 1),
            "now": "building" if build["building"] else build["result"],
        }
        for job in answer["jobs"]
        for build in job["builds"][:5]
    }


def interesting(source: str, text: str) -> bool:
    """A line worth keeping: all of the lab's own logs, and of a unit's what tells of its life."""
    if not text.strip() or TALK.search(text):
        return False
    return source.startswith("/") or bool(TELLING.search(text))


class Sieve:
    """Keeps a log readable: of lines that differ in numbers only one in a while, of a flood the beginning."""

    def __init__(self) -> None:
        self._kept_at: dict[str, float] = {}
        self._second, self._count, self._left_out = 0, 0, 0

    def kept(self, text: str, now: float) -> list[str]:
        """The lines to keep now that this one came: none, it, or it after how many were left out."""
        shape = re.sub(r"[0-9]+", "#", text)
        self._kept_at = {known: at for known, at in self._kept_at.items() if now - at < ALIKE}
        if int(now) != self._second:
            self._second, self._count = int(now), 0
        if shape in self._kept_at or self._count >= LINES_A_SECOND:
            self._left_out += 1
            return []
        told = [f"({self._left_out} lines more)"] if self._left_out else []
        self._kept_at[shape], self._left_out = now, 0
        self._count += 1
        return [*told, text]


# --- watching ---------------------------------------------------------------------------------------------


class Watcher(threading.Thread):
    """Looks again and again and journals what changed. A look returns the state of all it watches."""

    def __init__(
        self, kind: str, who: str, look: Callable[[], State], journal: Journal, pause: float
    ) -> None:
        super().__init__(name=f"watching {who}", daemon=True)
        self._kind, self._who, self._look, self._journal, self._pause = kind, who, look, journal, pause
        self._state: State = {}
        self._first: Facts = {"first": True}
        self._answers = True
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            self.step()
            self._ended.wait(stretched(self._pause))  # on a slow host a look costs more

    def step(self) -> None:
        """One look. Its moment is when it was asked: a dead one answers late or never."""
        asked = time.time()
        try:
            now = self._look()
        except Exception as error:  # whatever it is, the next look may go well
            self._tell(False, asked, error=f"{type(error).__name__}: {error}"[:LINE])
            return
        self._tell(True, asked)
        for facts in changes(self._state, now):
            self._journal.add(of(self._kind, **facts, **self._first))
        self._state, self._first = now, {}

    def _tell(self, answers: bool, asked: float, error: str | None = None) -> None:
        if answers != self._answers:
            self._answers = answers
            word = "answers again" if answers else "does not answer"
            self._journal.add(Silence(kind=self._kind, at=asked, who=self._who, now=word, error=error))

    def end(self) -> None:
        self._ended.set()


class ConsulLook:
    """One question to Consul that it keeps until its answer changes, so a change is heard at once."""

    def __init__(
        self, url: str, read: Callable[[Iterable[Facts]], State], client: httpx.Client, **options: str
    ) -> None:
        self._url, self._read, self._client, self._options = url, read, client, options
        self._index = "0"

    def __call__(self) -> State:
        wait = {**self._options, "index": self._index, "wait": f"{WAIT}s"}
        try:
            answer = self._client.get(self._url, params=wait)
            if answer.status_code == httpx.codes.NOT_FOUND:  # no such key yet
                return {}
            answer.raise_for_status()
        except httpx.HTTPError:
            self._index = "0"  # the next one must not wait for a change it may have missed
            raise
        self._index = answer.headers.get("X-Consul-Index", "0")
        return self._read(answer.json())


class SwarmLook:
    """Every container Swarm knows and its state."""

    def __init__(self, lab: Lab, connect: Callable[[Lab], SwarmClient] = SwarmClient) -> None:
        self._client = connect(lab)

    def __call__(self) -> State:
        return {
            f"{placed.node}/{placed.name}": {
                "container": placed.name,
                "node": placed.node,
                "image": placed.image,
                "now": placed.state,
            }
            for placed in self._client.containers()
        }


class LogWatcher(threading.Thread):
    """Follows logs of one node over SSH, line by line; starts again when the node or the connection dies."""

    def __init__(self, node: str, command: str, source: str, journal: Journal) -> None:
        super().__init__(name=f"watching logs of {node}", daemon=True)
        self._node, self._command, self._source, self._journal = node, command, source, journal
        self._ended = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._sieves: dict[str, Sieve] = {}

    def run(self) -> None:
        while not self._ended.is_set():
            self._follow()
            self._ended.wait(2.0)

    def _follow(self) -> None:
        options = ("-o", "ConnectTimeout=5", "-o", "ServerAliveInterval=5", "-o", "LogLevel=ERROR")
        with subprocess.Popen(
            ["ssh", "-F", str(machines.ssh_config()), *options, self._node, self._command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
        ) as process:
            self._process = process
            assert process.stdout is not None
            self.take(process.stdout)

    def take(self, lines: Iterable[str]) -> None:
        """Journal what is interesting."""
        source = self._source
        for raw in lines:
            text = COLORED.sub("", raw).rstrip()
            header = HEADER.fullmatch(text)
            if header:
                source = header[1]
            elif interesting(source, text):
                sieve = self._sieves.setdefault(source, Sieve())
                for kept in sieve.kept(text[:LINE], time.time()):
                    self._journal.add(LogLine(node=self._node, source=source, text=kept))

    def end(self) -> None:
        self._ended.set()
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.terminate()


class Watchers:
    """All of them for one run."""

    def __init__(self, lab: Lab, journal: Journal) -> None:
        self._lab, self._journal = lab, journal
        self._client = httpx.Client(timeout=WAIT + stretched(ANSWERS_WITHIN), trust_env=False)
        self._threads: list[Watcher | LogWatcher] = []

    def start(self) -> None:
        """Raises HostError when the lab's network is not on this host."""
        require_present(self._lab)
        self._threads = [*self._looking(), *self._logs()]
        for thread in self._threads:
            thread.start()

    def _looking(self) -> Iterator[Watcher]:
        consul = f"http://{self._lab.master.address}:8500/v1"
        jenkins = f"http://{self._lab.master.address}:8080/api/json"
        tree = "jobs[name,builds[number,building,result,duration]]"
        states = ConsulLook(f"{consul}/health/state/any", checks, self._client)
        keys = ConsulLook(f"{consul}/kv/services/", colors, self._client, recurse="true")
        built: dict[str, Facts] = {}

        def jobs() -> State:
            answer = self._client.get(jenkins, params={"tree": tree})
            built.update(builds(answer.raise_for_status().json()))
            return dict(built)  # Jenkins forgets old builds; they did not un-happen

        # Consul itself waits for changes; a short pause bounds what it costs when it changes all the time.
        yield Watcher("consul", "Consul's checks", states, self._journal, 0.1)
        yield Watcher("consul", "Consul's keys", keys, self._journal, 0.1)
        yield Watcher("swarm", "Swarm", SwarmLook(self._lab), self._journal, PAUSE)
        yield Watcher("jenkins", "Jenkins", jobs, self._journal, 2 * PAUSE)

    def _logs(self) -> Iterator[LogWatcher]:
        for node in self._lab.nodes:
            logs = [health.logs for health in healths(self._lab) if health.node == node.name]
            files = [path for one in logs for path in one.files]
            units = " ".join(f"-u {unit}" for one in logs for unit in one.units)
            yield LogWatcher(node.name, f"sudo journalctl -f -n 0 -o cat {units}", "journal", self._journal)
            if files:
                follow = f"sudo tail -s 0.2 -n 0 -F {' '.join(files)} 2>/dev/null"
                yield LogWatcher(node.name, follow, files[0], self._journal)

    def stop(self) -> None:
        for thread in self._threads:
            thread.end()
        for thread in self._threads:
            thread.join(WAIT + stretched(ANSWERS_WITHIN))
        self._client.close()
