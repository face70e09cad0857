"""The article's steps: its commands on swarm-master as printed, and what they must show."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, then, when

from lab import config, machines, network
from lab.clients.consul import ConsulClient
from lab.config import Lab
from lab.errors import CheckFailed
from lab.shell import Result, Shell
from lab.waiting import wait_until
from scenarios import baseline, verdicts
from scenarios.deployments import by_hand
from scenarios.probe import Answer, Probe

SETTLED = 25  # answers that must come after the last step, so that its effect was felt


@dataclass
class Story:
    """What a scenario has seen so far."""

    probe: Probe | None = None
    answers: list[Answer] = field(default_factory=list)
    output: str = ""
    address: str = ""
    error: CheckFailed | None = None


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
def at_baseline(lab: Lab, master: Shell) -> None:
    baseline.reset(lab, master, lab.services[0])


@given(parsers.parse("users ask for {path} {rate:d} times a second"))
def users_ask(lab: Lab, story: Story, path: str, rate: int, tmp_path: Path) -> None:
    story.probe = Probe(lab, path, rate, tmp_path / "probe.jsonl")
    story.probe.start()
    wait_until(lambda: story.probe and len(story.probe.answers) >= SETTLED, 10, "the first answers")


@when("swarm-master runs")
def master_runs(master: Shell, story: Story, docstring: str) -> None:
    story.output = _as_printed(master, docstring).stdout


def _as_printed(master: Shell, commands: str) -> Result:
    """The commands as the user vagrant types them; each must succeed."""
    return master.run("set -e -o pipefail\n" + commands, sudo=False, timeout=180)


@when(parsers.parse("Consul knows {service} and its address is asked for books directly"))
def ask_directly(lab: Lab, master: Shell, story: Story, service: str) -> None:
    by_hand.wait_registered(master, service)
    catalogue = _as_printed(master, f"curl http://localhost:8500/v1/catalog/service/{service} | jq .").stdout
    entry = json.loads(catalogue)[0]
    story.address = f"{entry['ServiceAddress'] or entry['Address']}:{entry['ServicePort']}"
    line = f"curl -f http://{story.address}/api/v1/books | jq ."
    story.output = wait_until(lambda: _as_printed(master, line), 20, line, node=master.node).stdout


@then(parsers.parse("the output shows {names}"))
def output_shows(story: Story, names: str) -> None:
    for name in re.split(r", | and ", names):
        assert name in story.output, f"no {name} in:\n{story.output}"


@then("it lists the three books")
def three_books(story: Story) -> None:
    listed = [baseline.kept(book) for book in json.loads(story.output)]
    assert sorted(listed, key=lambda book: str(book["_id"])) == list(baseline.BOOKS)


@then(parsers.parse("`docker ps -a` shows {name} {state:w}"))
def container_state(master: Shell, name: str, state: str) -> None:
    listing = _as_printed(master, f"docker ps -a | grep {name}").stdout
    assert f" {state} " in listing, listing


@then(parsers.parse("Consul says that {service} is {color:w}"))
def color_is(lab: Lab, service: str, color: str) -> None:
    assert ConsulClient(lab).color(service) == color


@then("no request fails")
def no_request_fails(story: Story, record_property: Callable[[str, object], None]) -> None:
    answers = _settled(story)
    record_property("requests", len(answers))
    record_property("failed", len(verdicts.failures(answers)))
    print(verdicts.says(answers))
    assert verdicts.failures(answers) == [], verdicts.says(answers)


@then(parsers.parse("users were served {first}, then {second}"))
def served_in_turn(story: Story, first: str, second: str) -> None:
    turns = [f"{release} by {color}" for release, color in verdicts.turns(_settled(story))]
    # At the cut-over old and new workers of nginx overlap for a moment: what matters is first and last.
    assert (turns[0], turns[-1], set(turns)) == (first, second, {first, second}), turns


@then(parsers.parse("users were served only {who}"))
def served_only(story: Story, who: str) -> None:
    turns = [f"{release} by {color}" for release, color in verdicts.turns(_settled(story))]
    assert turns == [who]


def _settled(story: Story) -> list[Answer]:
    """The answers up to now, with some after the last step; the probe ends here."""
    assert story.probe is not None, "no users were asking"
    if not story.answers:
        seen = len(story.probe.answers)
        probe = story.probe
        wait_until(lambda: len(probe.answers) >= seen + SETTLED, 15, "answers after the last step")
        story.answers = probe.stop()
    return story.answers


@when(parsers.parse("release {release} of {service} is deployed by hand"))
def deploy_by_hand(lab: Lab, master: Shell, story: Story, release: str, service: str) -> None:
    try:
        by_hand.deploy(lab, master, lab.service(service), release, print)
    except CheckFailed as error:
        story.error = error


@then(parsers.parse('the deployment is refused with "{words}"'))
def refused_with(story: Story, words: str) -> None:
    assert story.error is not None, "it was not refused"
    assert words in str(story.error)


@then("the deployment succeeds")
def deployment_succeeds(story: Story) -> None:
    assert story.error is None, str(story.error)
