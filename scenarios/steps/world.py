"""What every scenario stands on: the lab, its shells, the baseline, and users who ask all the while."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, then

from lab import config, machines, network
from lab.config import Lab
from lab.errors import LabError
from lab.shell import Shell
from lab.waiting import wait_until
from scenarios import baseline, verdicts
from scenarios.probe import Answer, Probe

SETTLED = 25  # answers that must come after the last step, so that its effect was felt


@dataclass
class Story:
    """What a scenario has seen so far; moments are seconds of the wall clock."""

    probe: Probe | None = None
    answers: list[Answer] = field(default_factory=list)
    output: str = ""
    address: str = ""
    error: LabError | None = None
    builds: int = 0  # of Jenkins, before the fault
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


@pytest.fixture
def master(lab: Lab, shells: Mapping[str, Shell]) -> Shell:
    return shells[lab.master.name]


@pytest.fixture
def story() -> Iterator[Story]:
    told = Story()
    yield told
    if told.probe is not None:
        told.probe.stop()


@given("the lab is at its baseline")
def at_baseline(lab: Lab, shells: Mapping[str, Shell]) -> None:
    baseline.reset(lab, shells, lab.services[0])


@given(parsers.parse("users ask for {path} {rate:d} times a second"))
def users_ask(lab: Lab, story: Story, path: str, rate: int, tmp_path: Path) -> None:
    story.probe = Probe(lab, path, rate, tmp_path / "probe.jsonl")
    story.probe.start()
    wait_until(lambda: story.probe and len(story.probe.answers) >= SETTLED, 10, "the first answers")


@then("no request fails")
def no_request_fails(story: Story, record_property: Callable[[str, object], None]) -> None:
    answers = settled(story)
    record_property("requests", len(answers))
    record_property("failed", len(verdicts.failures(answers)))
    print(verdicts.says(answers))
    assert verdicts.failures(answers) == [], verdicts.says(answers)


@then(parsers.parse("users were served {first}, then {second}"))
def served_in_turn(story: Story, first: str, second: str) -> None:
    turns = [f"{release} by {color}" for release, color in verdicts.turns(settled(story))]
    # At the cut-over old and new workers of nginx overlap for a moment: what matters is first and last.
    assert (turns[0], turns[-1], set(turns)) == (first, second, {first, second}), turns


@then(parsers.parse("users were served only {who}"))
def served_only(story: Story, who: str) -> None:
    turns = [f"{release} by {color}" for release, color in verdicts.turns(settled(story))]
    assert turns == [who]


def settled(story: Story) -> list[Answer]:
    """The answers up to now, with some after the last step; the probe ends here."""
    assert story.probe is not None, "no users were asking"
    if not story.answers:
        seen = len(story.probe.answers)
        probe = story.probe
        wait_until(lambda: len(probe.answers) >= seen + SETTLED, 15, "answers after the last step")
        story.answers = probe.stop()
    return story.answers
