"""Looks at the lab again and again: `Around` asks its services, `Inside` its nodes and the article's steps.

A lab that is away, or does not answer, is what was seen too: a look raises nothing. Each keeps its doors and makes
them anew when the lab went away, or a node did not answer: it may have come back as another machine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from board.reports import GONE, LIVE, MOST_CHECK, RUNNING, STOPPED
from deployments import observed
from deployments.observed import Noted, Observation
from evidence import journal
from faults import history
from faults.history import Injected
from faults.leftovers import LEFTOVERS
from lab import machines, network
from lab.clients.consul import Check, ConsulClient
from lab.clients.jenkins import JenkinsClient, Newest
from lab.clients.swarm import Placed, SwarmClient
from lab.errors import LabError, printable
from lab.model import COLORS, Lab
from lab.shell import SshShell
from provisioning.health import Seen
from scenarios.workshop import checks, looking, progress, reading
from scenarios.workshop.reading import Step

T = TypeVar("T")
BUILDS = 6  # that are shown
PAUSE_AROUND, PAUSE_INSIDE = 1.0, 4.0  # seconds from the end of a look to the next one


@dataclass(frozen=True)
class Around:
    """What the lab's services say of it. `away` says why nobody was asked; `silent`, by whom, who did not answer."""

    at: float
    away: str = ""
    live: Mapping[str, str | None] | None = None  # service -> its live color
    containers: tuple[Placed, ...] = ()
    checks: tuple[Check, ...] = ()
    builds: tuple[tuple[str, Newest], ...] = ()
    faults: tuple[Injected, ...] = ()
    silent: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Inside:
    """What the nodes say. `away` as in Around; `wrong` says why a lab that is here tells nothing of a step."""

    at: float
    away: str = ""
    wrong: str = ""
    unwell: tuple[Seen, ...] = ()
    colors: Mapping[str, str] | None = None
    step: int | None = None  # the one to do next
    check: str = ""  # what it lacks


# --- deciding -----------------------------------------------------------------------------------------------


def colors(lab: Lab, seen: Observation, noted: Noted) -> dict[str, str]:
    """Color of the main service -> live, running, stopped or gone. Pure."""
    return {color: _state(lab, seen, noted, color) for color in COLORS}


def _state(lab: Lab, seen: Observation, noted: Noted, color: str) -> str:
    one = seen.container(lab.main_service.container(color))
    if one is None:
        return GONE
    if one.state != "running":
        return STOPPED
    return LIVE if noted.color == color else RUNNING


def one_line(said: str, most: int = MOST_CHECK) -> str:
    """What was said, as one line of at most so many characters. Pure."""
    line = " ".join(printable(said).split())
    return line if len(line) <= most else line[: most - 3] + "..."


def told(error: LabError) -> str:
    """An error as one line: what happened, and what was last seen. Pure."""
    seen = f" ({error.last_seen})" if error.last_seen else ""
    where = f"{error.node}: " if error.node else ""
    return one_line(f"{where}{error.what}{seen}")


# --- looking around -----------------------------------------------------------------------------------------


class LookAround:
    """Asks Consul, Swarm, Jenkins and the journal of faults, one after the other."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._faults = Faults(journal.of_faults())
        self._doors: tuple[ConsulClient, SwarmClient, JenkinsClient] | None = None

    def __call__(self) -> Around:
        at = time.time()
        away = _away(self._lab)
        if away:
            self.close()
            return Around(at, away=away, faults=self._faults.open())
        try:
            return self._ask(at, *self._opened())
        except LabError as error:  # it went away between the two
            return Around(at, away=told(error), faults=self._faults.open())

    def _opened(self) -> tuple[ConsulClient, SwarmClient, JenkinsClient]:
        if self._doors is None:
            self._doors = (ConsulClient(self._lab), SwarmClient(self._lab), JenkinsClient(self._lab))
        return self._doors

    def _ask(self, at: float, consul: ConsulClient, swarm: SwarmClient, jenkins: JenkinsClient) -> Around:
        silent: dict[str, str] = {}
        ask = partial(_asked, silent)
        return Around(
            at,
            live=ask("Consul", lambda: self._live(consul), {}),
            checks=ask("Consul", consul.checks, ()),
            containers=ask("Swarm", lambda: self._of_services(swarm), ()),
            builds=ask("Jenkins", lambda: jenkins.latest(BUILDS), ()),
            faults=self._faults.open(),
            silent=silent,
        )

    def _live(self, consul: ConsulClient) -> dict[str, str | None]:
        return {service.name: consul.live_color(service) for service in self._lab.services}

    def _of_services(self, swarm: SwarmClient) -> tuple[Placed, ...]:
        return tuple(
            one
            for one in swarm.containers()
            if any(service.owns(one.name) for service in self._lab.services)
        )

    def close(self) -> None:
        if self._doors is not None:
            _, swarm, jenkins = self._doors
            swarm.close()
            jenkins.close()
            self._doors = None


def _away(lab: Lab) -> str:
    """Why nothing may be sent to the lab's addresses now, or nothing."""
    try:
        return "" if network.is_present(lab) else "no lab is up: its network is not on this host"
    except LabError as error:
        return told(error)


def _asked(silent: dict[str, str], who: str, question: Callable[[], T], otherwise: T) -> T:
    """The answer; without one `silent` says why, and who was silent once is not asked again in this look."""
    if who in silent:
        return otherwise
    try:
        return question()
    except LabError as error:
        silent[who] = told(error)
    return otherwise


class Faults:
    """The open faults of a journal, which is read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state: tuple[int, int] | None = None
        self._open: tuple[Injected, ...] = ()

    def open(self) -> tuple[Injected, ...]:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._state, self._open = None, ()
            return ()
        if self._state != (found.st_mtime_ns, found.st_size):
            with suppress(LabError):  # what cannot be read now may be at the next look
                self._open = tuple(history.open_faults(journal.read(self._path)))
                self._state = (found.st_mtime_ns, found.st_size)
        return self._open


# --- looking inside -----------------------------------------------------------------------------------------


class LookInside:
    """Asks each node once, as `lab step check` does, and says what the next step lacks."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.steps: tuple[Step, ...] = reading.steps(lab)
        self._shells: dict[str, SshShell] | None = None
        self._clients: tuple[ConsulClient, JenkinsClient] | None = None

    def __call__(self) -> Inside:
        at = time.time()
        away = _away(self._lab)
        if away:
            self.close()
            return Inside(at, away=away)
        try:
            return self._look(at)
        except LabError as error:
            self.close()
            return Inside(at, wrong=told(error))

    def _look(self, at: float) -> Inside:
        if self._shells is None or self._clients is None:
            self._shells = machines.shells(self._lab)
            self._clients = ConsulClient(self._lab), JenkinsClient(self._lab)
        seen = observed.look(self._lab, self._shells, self._lab.main_service, LEFTOVERS)
        if seen.noted is None:
            self.close()
            wrong = one_line("not everything answers: " + "; ".join(map(str, seen.unwell)))
            return Inside(at, wrong=wrong, unwell=seen.unwell)
        return self._of_step(at, seen, seen.noted, self._shells, *self._clients)

    def _of_step(
        self,
        at: float,
        seen: Observation,
        noted: Noted,
        shells: Mapping[str, SshShell],
        consul: ConsulClient,
        jenkins: JenkinsClient,
    ) -> Inside:
        done = progress.done(consul, self.steps)
        lacking = None
        if done < len(self.steps):
            whole = looking.whole(self._lab, shells, seen, noted, consul, jenkins)
            lacking = checks.missing(self._lab, whole, *self.steps[done].checks)
        return Inside(
            at,
            colors=colors(self._lab, seen, noted),
            step=done + 1,
            check=one_line(lacking.what) if lacking else "",
        )

    def close(self) -> None:
        for shell in (self._shells or {}).values():
            shell.close()
        if self._clients is not None:
            self._clients[1].close()
        self._shells = self._clients = None


# --- again and again ----------------------------------------------------------------------------------------


class Unchanged:
    """Since when something says the same, in seconds of the wall clock."""

    def __init__(self) -> None:
        self._value: Any = self  # equal to nothing that is said
        self._since = 0.0

    def since(self, value: object, at: float) -> float:
        if value != self._value:
            self._value, self._since = value, at
        return self._since


class Again(threading.Thread, Generic[T]):
    """Looks in the background and tells what it saw; the next look waits for the one before, and a pause."""

    def __init__(self, look: Callable[[], T], tell: Callable[[T], None], pause: float) -> None:
        super().__init__(name=f"looking {type(look).__name__}", daemon=True)
        self._look, self._tell, self._pause = look, tell, pause
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            self._tell(self._look())
            self._ended.wait(self._pause)

    def end(self) -> None:
        """No further look; one under way is not waited for."""
        self._ended.set()
