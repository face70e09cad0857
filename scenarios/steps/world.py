"""What every scenario stands on: the lab, its shells, the baseline, and users who ask all the while."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest
from pytest_bdd import given, parsers

from evidence import spending
from evidence.answers import Answer
from evidence.probe import Probe, Writer
from evidence.runs import Run
from lab import config, machines, network
from lab.errors import LabError
from lab.model import Lab
from lab.shell import Shell
from lab.waiting import slowed, wait_until
from scenarios import plugin
from scenarios.workshop.playing import reset

SETTLED = 25  # answers that must come after the last step, so that its effect was felt


@dataclass
class Story:
    """What a scenario has seen so far; moments are seconds of the wall clock."""

    probe: Probe | None = None
    writer: Writer | None = None
    answers: list[Answer] = field(default_factory=list)
    output: str = ""
    address: str = ""
    error: LabError | None = None
    builds: int = 0  # the number of Jenkins' last build before the fault
    fault_at: float = 0.0
    victim: str = ""  # the container or node that was broken


@pytest.fixture(scope="session")
def lab() -> Lab:
    lab = config.load()
    network.require_present(lab)
    return lab


@pytest.fixture(scope="session")
def shells(lab: Lab) -> Iterator[Mapping[str, Shell]]:
    opened = machines.shells(lab)
    yield opened
    for shell in opened.values():
        shell.close()


@pytest.fixture(scope="module")
def one_baseline(lab: Lab, shells: Mapping[str, Shell]) -> None:
    """The lab at its baseline once for all tests of a module: each leaves it as it was."""
    reset(lab, shells)


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Run:
    """The run this scenario is a part of."""
    return plugin.running(request.config)


@pytest.fixture
def master(lab: Lab, shells: Mapping[str, Shell]) -> Shell:
    return shells[lab.master.name]


@pytest.fixture
def story() -> Iterator[Story]:
    told = Story()
    yield told
    try:
        if told.probe is not None:
            told.probe.stop()
    finally:
        if told.writer is not None:
            told.writer.stop()
            told.writer.clean_up()


@given(spending.BASELINE)
def at_baseline(lab: Lab, shells: Mapping[str, Shell]) -> None:
    reset(lab, shells)


@given(parsers.parse("users ask for {path} {rate:d} times a second"))
def users_ask(lab: Lab, story: Story, path: str, rate: int, run: Run) -> None:
    told = slowed(rate)
    story.probe = Probe(lab, path, told, run.record("probe", path, told))
    _begin(story.probe)


@given(parsers.parse("users write books {rate:d} times a second"))
def users_write(lab: Lab, story: Story, rate: int, run: Run) -> None:
    path = lab.main_service.path
    told = slowed(rate)
    story.writer = Writer(lab, path, told, run.record("writes", path, told))
    _begin(story.writer)


def _begin(probe: Probe) -> None:
    probe.start()
    few = min(SETTLED, int(2 * probe.schedule.rate) + 1)
    wait_until(lambda: len(probe.answers) >= few, 10, "the first answers")
