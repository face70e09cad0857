"""Faults of the article's last part and what must follow without anybody's hand."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping, Sequence

from pytest_bdd import given, parsers, then

from deployments import books
from evidence import measures
from evidence.answers import Answer
from evidence.runs import Run
from faults.targets import look, resolve
from lab import named
from lab.clients.consul import ConsulClient
from lab.clients.jenkins import JenkinsClient
from lab.clients.proxy import ProxyClient
from lab.clients.swarm import Placed, SwarmClient
from lab.errors import LabError
from lab.model import Lab, Service
from lab.shell import Shell
from lab.waiting import wait_until
from scenarios.steps.world import SETTLED, Story
from scenarios.workshop.looking import LOG

# Seconds for a look of the check, a build that fails in its direct test (20 s; three times that where several
# labs share two cores), and the pause before the next one.
LOGGED = 120
ADDED: dict[str, object] = {
    "_id": "added",
    "title": "Late",
    "author": "Nobody",
    "description": "Newer than the others.",
}


def node_of(lab: Lab, shells: Mapping[str, Shell], target: str) -> str:
    """The node of the container that a target means now."""
    return resolve(look(lab, shells), target, random.Random()).nodes[0]


def last_of_log(master: Shell) -> str:
    """What the watchers and the healing said last."""
    return master.run(f"tail -n 30 {LOG}", check=False).stdout


@then(parsers.parse("Consul notices within {limit:d} seconds"))
def consul_notices(lab: Lab, run: Run, story: Story, limit: int) -> None:
    wait_until(
        lambda: measures.detected_after(run.entries(), story.fault_at) is not None,
        limit,
        "Consul to see a check critical",
        since=story.fault_at,
        try_next=f"curl http://localhost:8500/v1/health/checks/{lab.main_service.name}",
    )


@then(parsers.parse("the service answers again within {limit:d} seconds of the fault"))
def answers_again(lab: Lab, master: Shell, story: Story, limit: int) -> None:
    probe = story.probe
    assert probe is not None, "no users were asking"

    wait_until(
        lambda: served_again(probe.answers, story.fault_at),
        limit,
        "users to be served again",
        since=story.fault_at,
        evidence=lambda: last_of_log(master),
        try_next=named.command(f"exec {lab.master.name} -- cat {LOG}"),
    )


def served_again(answers: Sequence[Answer], fault_at: float) -> bool:
    """The fault was felt, and after it came enough answers in a row to tell an end from a pause. Pure."""
    if measures.first_failure_after(answers, fault_at) is None:
        return False
    latest = sorted(answers, key=lambda answer: answer.planned)[-SETTLED:]
    return latest[0].sent > fault_at and measures.recovered_after(latest, fault_at) == 0


@then(parsers.parse("Consul's check of {service} passes"))
def check_passes(lab: Lab, service: str) -> None:
    consul = ConsulClient(lab)
    limit = 2 * lab.check_interval + 10

    def passes() -> bool:
        # Its initial status is passing: what counts is that it has run.
        return consul.checks_have_run(service) and consul.health(service) == "passing"

    wait_until(passes, limit, "the check to be made and to pass")


@then("the healing has ended")
def healing_ended(master: Shell) -> None:
    wait_until(
        lambda: not master.run("systemctl list-units -q --plain 'lab-heal-*'").stdout.strip(),
        60,
        "the healing units to end",
        evidence=lambda: last_of_log(master),
    )


@then(parsers.parse("Jenkins ran {count:d} builds more"))
@then(parsers.parse("Jenkins ran {count:d} build more"))
def builds_more(lab: Lab, story: Story, count: int) -> None:
    client = JenkinsClient(lab)
    ran = client.last_number(lab.main_service.name) - story.builds
    client.close()
    assert ran == count


@then(parsers.parse('the watchers\' log says "{words}"'))
def log_says(lab: Lab, master: Shell, words: str) -> None:
    def said() -> bool:
        text = master.run(f"cat {LOG}").stdout
        if words not in text:
            raise LabError(f"not in {LOG}", last_seen=text[-800:])
        return True

    wait_until(said, LOGGED, f'"{words}" in the log', node=master.node)


@then(parsers.parse("nothing is seen in {seconds:d} seconds of Consul's checks"))
def nothing_seen(lab: Lab, seconds: int) -> None:
    # A fact about a span of time: that the check stays as it is for as long as it would take to notice.
    consul, service = ConsulClient(lab), lab.main_service.name
    end = time.monotonic() + seconds
    wait_until(
        lambda: consul.health(service) != "passing" or time.monotonic() > end,
        seconds + 5,
        "the span's end",
    )
    assert consul.health(service) == "passing"


@then("no book is lost")
@then("no other book is lost")
def no_book_lost(lab: Lab) -> None:
    assert [book for book in _books(lab) if book != ADDED] == list(books.BOOKS)


def _books(lab: Lab) -> list[dict[str, object]]:
    proxy = ProxyClient(lab)
    try:
        return [books.kept(book) for book in proxy.books()]
    finally:
        proxy.close()


@then("Consul's catalogue equals the running containers")
def catalogue_is_true(lab: Lab) -> None:
    service = lab.main_service

    def equal() -> bool:
        wrong = catalogue_differences(service, _containers(lab), _known(lab, service))
        if wrong:
            raise LabError("catalogue and containers differ", last_seen="; ".join(wrong))
        return True

    wait_until(
        equal, 45, "Consul's catalogue to equal the running containers", try_next=named.command("status")
    )


def _containers(lab: Lab) -> tuple[Placed, ...]:
    swarm = SwarmClient(lab)
    try:
        return swarm.containers()
    finally:
        swarm.close()


def _known(lab: Lab, service: Service) -> dict[str, list[str]]:
    """Part of the service (db, blue, green) -> the nodes on which Consul knows one."""
    consul = ConsulClient(lab)
    return {part: [one.node for one in consul.instances(service.registered(part))] for part in service.parts}


def catalogue_differences(
    service: Service, placed: Sequence[Placed], known: Mapping[str, Sequence[str]]
) -> list[str]:
    """What Registrator's entries and Swarm's containers say differently, in words; empty when they agree."""
    names = {part: service.container(part) for part in service.parts}
    counts = {name: sum(one.name == name for one in placed) for name in names.values()}
    wrong = [f"{name} is there {count} times" for name, count in counts.items() if count > 1]
    for part, name in names.items():
        running = sorted(one.node for one in placed if one.name == name and one.state == "running")
        if running != sorted(known[part]):
            wrong.append(f"{part} runs on {running}, Consul says {sorted(known[part])}")
    return wrong


@then(parsers.re(r"(?P<target>the live color|the database) is on another node"))
def moved(lab: Lab, shells: Mapping[str, Shell], story: Story, target: str) -> None:
    assert node_of(lab, shells, target) != story.victim


@given("the last backup has every book")
def backup_is_complete(lab: Lab, master: Shell) -> None:
    """A backup made from now on: the file's time, then its content."""
    every = _books(lab)
    path = f"/data/backups/{lab.main_service.name}/records.json"
    now = float(master.run("date +%s.%N").stdout)

    def complete() -> bool:
        when, _, records = master.run(f"stat -c %.Y {path}; cat {path}").stdout.partition("\n")
        return float(when) > now and [books.kept(book) for book in json.loads(records)] == every

    wait_until(complete, 3 * lab.check_interval, "a backup with every book", node=master.node)


@given("a book is added")
def add_book(lab: Lab) -> None:
    proxy = ProxyClient(lab)
    proxy.put(dict(ADDED))
    proxy.close()
    assert ADDED in _books(lab)


@then("the added book is lost")
def added_is_lost(lab: Lab) -> None:
    assert ADDED["_id"] not in [book["_id"] for book in _books(lab)]


@then("the added book is kept")
def added_is_kept(lab: Lab) -> None:
    assert ADDED in _books(lab)


@given("every other node has a database of an earlier life")
def earlier_databases(lab: Lab, shells: Mapping[str, Shell]) -> None:
    """A copy of the volume as it is now: what is written from now on is not in it."""
    volume = lab.main_service.volume
    home = node_of(lab, shells, "the database")
    path = f"/var/lib/docker/volumes/{volume}/_data"
    packed = shells[home].run(f"tar -C {path} -cz . | base64 -w 0").stdout.strip()
    for node in lab.swarm_nodes:
        if node.name != home:
            shells[node.name].run(
                f"docker volume create {volume} >/dev/null; base64 -d <<<'{packed}' | tar -C {path} -xz"
            )


@then(parsers.parse("both services pass their checks again within {limit:d} seconds of the fault"))
def both_pass(lab: Lab, master: Shell, story: Story, limit: int) -> None:
    consul = ConsulClient(lab)
    names = [service.name for service in lab.services]
    seen: set[str] = set()

    def healed() -> bool:
        health = {name: consul.health(name) for name in names}
        seen.update(name for name in names if health[name] == "critical")
        return seen == set(names) and set(health.values()) == {"passing"}

    wait_until(
        healed,
        limit,
        "both services to be critical and then to pass",
        since=story.fault_at,
        evidence=lambda: last_of_log(master),
    )
