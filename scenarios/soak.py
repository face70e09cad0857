"""A soak: faults drawn by a seed, one at a time, each with time to recover, under steady requests."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from time import monotonic

from deployments import baseline
from evidence.probe import Probe
from evidence.runs import Run
from evidence.watching import Watchers
from faults import Fault, Harness, made
from faults.harness import hold
from lab.clients.jenkins import JenkinsClient
from lab.errors import CheckFailed, ConfigError, LabError
from lab.model import Lab
from lab.shell import Shell
from lab.waiting import slowed
from provisioning import health
from scenarios.steady import wait_steady
from scenarios.workshop.playing import reset

RATE = 20.0  # requests a second
LIMIT = 180.0  # seconds from a fault's heal until the lab must be steady again
SHORT, LONG = 5, 20  # seconds a fault lasts

# What may come: a fault, the targets it is drawn for, its settings.
CHOICES: tuple[tuple[str, tuple[str, ...], dict[str, str]], ...] = (
    ("stop", ("the live color", "the database", "nginx", "Jenkins"), {}),
    ("kill", ("the live color", "the idle color", "the database", "nginx", "the Swarm manager"), {}),
    ("pause", ("the live color", "the database", "nginx"), {}),
    ("restart", ("the live color", "the database"), {}),
    ("remove", ("the live color",), {}),
    ("power-cut", ("the node of the live color", "the node of the database", "any node"), {}),
    ("reboot", ("any node",), {}),
    ("docker-kill", ("any node",), {}),
    ("consul-stop", ("any node",), {}),
    ("consul-kill", ("the master",), {}),
    ("registrator-stop", ("any node", "all but the master"), {}),
    ("isolate", ("the node of the live color", "any node"), {}),
    ("port-block", ("the database",), {}),
    ("loss", ("any node",), {"percent": "20"}),
    ("delay", ("the database",), {"ms": "200"}),
    ("cpu", ("any node",), {"workers": "1"}),
)


@dataclass(frozen=True)
class Turn:
    """One fault of a soak."""

    number: int
    fault: str
    target: str
    seconds: int
    settings: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.number}. {self.fault} on {self.target} for {self.seconds} s"


@dataclass(frozen=True)
class Outcome:
    """How a turn ended: "passed", or "failed" with the error."""

    turn: Turn
    verdict: str
    error: str = ""


def turns(seed: int) -> Iterator[Turn]:
    """The faults of a seed, without end; the same seed gives the same ones. Pure."""
    chance = random.Random(seed)
    for number in count(1):
        fault, targets, settings = chance.choice(CHOICES)
        yield Turn(number, fault, chance.choice(targets), chance.randint(SHORT, LONG), settings)


class Soak:
    """Faults on one lab for some minutes; `run` keeps what happened."""

    def __init__(
        self, lab: Lab, shells: Mapping[str, Shell], run: Run, seed: int, say: Callable[[str], None]
    ) -> None:
        self.lab, self.shells, self.run, self._say = lab, shells, run, say
        self._turns = turns(seed)
        self._harness = Harness(lab, shells, chance=random.Random(seed))

    def go(self, minutes: float) -> list[Outcome]:
        """Turn after turn until the time is over; the last one is played to its end."""
        self._prepare()
        watchers = Watchers(self.lab, self.run.journal)
        watchers.start()
        end = monotonic() + minutes * 60
        outcomes = []
        try:
            while monotonic() < end:
                outcome = self._play(next(self._turns))
                if outcome is not None:
                    outcomes.append(outcome)
                    self._say(f"{outcome.turn}: {outcome.verdict} {outcome.error}".rstrip())
        finally:
            watchers.stop()
        return outcomes

    def _prepare(self) -> None:
        """The baseline, and a first deployment by Jenkins, so that the service is checked and heals."""
        service = self.lab.main_service
        reset(self.lab, self.shells)
        jenkins = JenkinsClient(self.lab)
        build = jenkins.build(service.name)
        jenkins.close()
        if build.result != "SUCCESS":
            raise LabError(f"build {build.number}: {build.result}", last_seen=build.console[-800:])
        self._wait_steady()

    def _play(self, turn: Turn) -> Outcome | None:
        """None when the turn's target is not there now: a drawn fault may have no idle color to break."""
        fault = made(turn.fault, **turn.settings)
        try:
            self._harness.plan(fault, turn.target, turn.seconds)
        except (CheckFailed, ConfigError) as error:
            self._say(f"{turn}: not now, {error.what}")
            return None
        self.run.begin(str(turn), "soak")
        path, rate = self.lab.main_service.path, slowed(RATE)
        with Probe(self.lab, path, rate, self.run.record("probe", path, rate)):
            outcome = self._break_and_wait(turn, fault)
        self.run.end(outcome.verdict, error=outcome.error, numbers={})
        return outcome

    def _break_and_wait(self, turn: Turn, fault: Fault) -> Outcome:
        try:
            injected = self._harness.inject(fault, turn.target, turn.seconds)
            try:
                hold(injected)
            finally:
                healed = self._harness.heal(injected.id)
            if healed.is_open:
                raise LabError(f"the fault is not seen healed: {healed.phase} {healed.detail}")
            self._wait_steady()
        except LabError as error:
            self._after_failure()
            return Outcome(turn, "failed", str(error))
        return Outcome(turn, "passed")

    def _after_failure(self) -> None:
        """Evidence first, then all brought back, so that the next turn begins from a lab that is well."""
        try:
            self.run.keep_evidence()
        except LabError as error:  # what failed first is what is told
            self._say(f"no evidence: {error}")
        self._harness.heal_all()
        unwell = health.unwell(self.lab, self.shells)
        baseline.mend(self.lab, self.shells, {one.component for one in unwell})
        self._wait_steady()

    def _wait_steady(self) -> None:
        wait_steady(self.lab, self.shells, self._harness, LIMIT)
