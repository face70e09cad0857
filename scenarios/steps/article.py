"""The article's steps: its commands on swarm-master as printed, and what they must show."""

from __future__ import annotations

import json
import re

from pytest_bdd import given, parsers, then, when

from deployments import books, by_hand
from lab.clients.consul import ConsulClient
from lab.model import Lab
from lab.shell import Shell
from lab.waiting import wait_until
from scenarios.steps.world import Story
from scenarios.workshop.playing import as_printed


@given("swarm-master has run")
@when("swarm-master runs")
def master_runs(master: Shell, story: Story, docstring: str) -> None:
    story.output = as_printed(master, docstring).stdout


@when(parsers.parse("Consul knows {service} and its address is asked for books directly"))
def ask_directly(lab: Lab, master: Shell, story: Story, service: str) -> None:
    by_hand.wait_registered(master, service)
    catalogue = as_printed(master, f"curl http://localhost:8500/v1/catalog/service/{service} | jq .").stdout
    entry = json.loads(catalogue)[0]
    story.address = f"{entry['ServiceAddress'] or entry['Address']}:{entry['ServicePort']}"
    line = f"curl -f http://{story.address}{lab.main_service.path} | jq ."
    story.output = wait_until(lambda: as_printed(master, line), 20, line, node=master.node).stdout


@then(parsers.parse("the output shows {names}"))
def output_shows(story: Story, names: str) -> None:
    for name in re.split(r", | and ", names):
        assert name in story.output, f"no {name} in:\n{story.output}"


def changes(output: str) -> list[int]:
    """What the recap of each play in an output of Ansible counts as changed, host by host."""
    return [int(count) for count in re.findall(r"\bchanged=(\d+)", output)]


@then("both plays changed nothing")
def nothing_changed(story: Story) -> None:
    assert changes(story.output) == [0, 0], story.output


@then("it lists the three books")
def three_books(story: Story) -> None:
    listed = [books.kept(book) for book in json.loads(story.output)]
    assert sorted(listed, key=lambda book: str(book["_id"])) == list(books.BOOKS)


@then(parsers.parse("`docker ps -a` shows {name} {state:w}"))
def container_state(master: Shell, name: str, state: str) -> None:
    listing = as_printed(master, f"docker ps -a | grep {name}").stdout
    assert f" {state} " in listing, listing


@then(parsers.parse("Consul says that {service} is {color:w}"))
def color_is(lab: Lab, service: str, color: str) -> None:
    assert ConsulClient(lab).live_color(lab.service(service)) == color


@then(parsers.parse("nginx's upstream is {color:w}"))
def upstream_is(lab: Lab, master: Shell, color: str) -> None:
    service = lab.main_service
    text = master.run(f"cat {service.upstream}").stdout
    address = by_hand.registered_at(master, f"{service.name}-{color}")
    assert f"server {address};" in text, f"{color} is at {address}, but:\n{text}"
