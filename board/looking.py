"""Looks at the lab again and again: `Around` asks its services, `Inside` its nodes and the article's steps.

A lab that is away, or does not answer, is what was seen too: a look raises nothing. Each keeps its doors and
makes them anew when the lab went away, or a node did not answer: it may have come back as another machine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from board.reports import GONE, LIVE, MOST_CHECK, RUNNING, STOPPED
from deployments import observed
from deployments.observed import Container, Noted, Observation
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
PAUSE_AROUND, PAUSE_INSIDE = 1.0, 3.0  # seconds from the end of a look to the next one


@dataclass(frozen=True)
class Around:
    """What the lab's services say of it.

    `away` says why none was asked; `silent` which of them did not answer, and what was seen instead.
    """

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
    """What the nodes say. `away` as in Around; `wrong` says why a lab that is here tells nothing more."""

    at: float
    away: str = ""
    wrong: str = ""
    unwell: tuple[Seen, ...] = ()
    containers: tuple[Container, ...] | None = None  # of the main service
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
        return Around(
            at,
            live=_asked(silent, "Consul", lambda: self._live(consul)),
            checks=_asked(silent, "Consul", consul.checks) or (),
            containers=_asked(silent, "Swarm", lambda: self._of_services(swarm)) or (),
            builds=_asked(silent, "Jenkins", lambda: jenkins.latest(BUILDS)) or (),
            faults=self._faults.open(),
            silent=silent,
        )

    def _live(self, consul: ConsulClient) -> dict[str, str | None]:
        return {service.name: consul.live_color(service) for service in self._lab.services}

    def _of_services(self, swarm: SwarmClient) -> tuple[Placed, ...]:
        return tuple(
            one for one in swarm.containers() if any(service.owns(one.name) for service in self._lab.services)
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


def _asked(silent: dict[str, str], who: str, question: Callable[[], T]) -> T | None:
    """The answer; without one `silent` says why, and who was silent once is not asked again in this look."""
    if who in silent:
        return None
    try:
        return question()
    except LabError as error:
        silent[who] = told(error)
    return None


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


@dataclass(frozen=True)
class Doors:
    """To the nodes, and to who is asked beside them."""

    shells: Mapping[str, SshShell]
    consul: ConsulClient
    jenkins: JenkinsClient


class LookInside:
    """Asks each node once, as `lab step check` does, and says what the next step lacks."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.steps: tuple[Step, ...] = reading.steps(lab)
        self._doors: Doors | None = None

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
        doors = self._opened()
        seen = observed.look(self._lab, doors.shells, self._lab.main_service, LEFTOVERS)
        if seen.noted is None:
            self.close()
            wrong = one_line("not everything answers: " + "; ".join(map(str, seen.unwell)))
            return Inside(at, wrong=wrong, unwell=seen.unwell)
        step = progress.done(doors.consul, self.steps) + 1
        return Inside(
            at,
            containers=seen.containers,
            colors=colors(self._lab, seen, seen.noted),
            step=step,
            check=self._lacking(step, doors, seen),
        )

    def _lacking(self, step: int, doors: Doors, seen: Observation) -> str:
        """What a step lacks; "" when it lacks nothing, or all are done."""
        if step > len(self.steps):
            return ""
        whole = looking.whole(self._lab, doors.shells, seen, doors.consul, doors.jenkins)
        lacking = checks.missing(self._lab, whole, *self.steps[step - 1].checks)
        return one_line(lacking.what) if lacking else ""

    def _opened(self) -> Doors:
        if self._doors is None:
            self._doors = Doors(machines.shells(self._lab), ConsulClient(self._lab), JenkinsClient(self._lab))
        return self._doors

    def close(self) -> None:
        if self._doors is not None:
            for shell in self._doors.shells.values():
                shell.close()
            self._doors.jenkins.close()
            self._doors = None


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
