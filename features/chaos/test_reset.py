"""Whatever was broken, a reset brings the baseline; that is proved by other eyes than its own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

import faults as room
from deployments import books, by_hand
from faults import FAULTS, made
from faults.example import filled, words
from faults.leftovers import leftovers
from faults.targets import look
from lab.clients.consul import ConsulClient
from lab.clients.jenkins import JenkinsClient
from lab.clients.proxy import ProxyClient
from lab.clients.swarm import SwarmClient
from lab.model import Lab
from lab.shell import Shell
from lab.waiting import wait_until
from provisioning import health
from scenarios.steps.faults import ScenarioFaults
from scenarios.steps.healing import catalogue_differences

TRIED = {name: kind.example for name, kind in FAULTS.items() if kind.example}
CONSUL = "http://localhost:8500/v1"
SWARM_KNOWS = 60  # seconds in which it looks at every container, also at one that goes on after a pause
# What is broken behind the harness's back, on the master, where `docker` means Swarm.
BROKEN = {
    "blue is stopped": "docker stop {blue}",
    "blue is killed": "docker kill {blue}",
    "blue is removed": "docker rm -f {blue}",
    "the database is stopped": "docker stop {database}",
    "the database is paused": "docker pause {database}",
    "the database is removed": "docker rm -f {database}",
    "green runs": "cd /data/compose/config/{service} && docker-compose up -d --no-deps green",
    "another color is noted": f"curl -fsS -X PUT -d green {CONSUL}/kv/services/{{service}}/color",
    "no color is noted": f"curl -fsS -X DELETE {CONSUL}/kv/services/{{service}}/color",
    "a lock is left": (
        f"id=$(curl -fsS -X PUT -d '{{}}' {CONSUL}/session/create | jq -r .ID) && "
        f'curl -fsS -X PUT -d gone "{CONSUL}/kv/services/{{service}}/lock?acquire=$id"'
    ),
    "the upstream is another": (
        "sudo sed -i 's/server .*/server 127.0.0.1:9;/' /data/nginx/upstreams/{service}.conf && "
        "sudo env -u DOCKER_HOST docker kill -s HUP nginx"
    ),
    "the upstream's file alone is another": "echo '# odd' | sudo tee -a /data/nginx/upstreams/{service}.conf",
    "blue is to run another release": (
        "sed -i s/^BLUE_RELEASE=.*/BLUE_RELEASE=1.1/ /data/compose/config/{service}/.env"
    ),
    "a book is gone": "curl -fsS -X DELETE {url}/_id/2",
    "a book is new": (
        "curl -fsS -X PUT -H 'Content-Type: application/json' "
        '-d \'{"_id": "9", "title": "t", "author": "a", "description": "d"}\' {url}'
    ),
    "a service is checked": (
        'echo \'{"service": {"name": "{service}", "tags": ["service"], "check": {"id": "x", "name": "x", '
        '"http": "{url}", "interval": "10s"}}}\' | sudo tee /etc/consul.d/service-{service}.json && '
        "consul reload"
    ),
    "the log tells of a healing": (
        "echo '12:00:00 {service}: build 1: SUCCESS' | sudo tee -a /data/consul/logs/watchers.log"
    ),
    "a component is stopped": "sudo systemctl stop lab-backup.timer",
    "a container of the lab's is gone": "sudo env -u DOCKER_HOST docker rm -f nginx",
}


def proof(lab: Lab, shells: Mapping[str, Shell]) -> list[str]:
    """What is not as at the baseline, through the clients."""
    service, consul, master = lab.main_service, ConsulClient(lab), shells[lab.master.name]
    with closing(SwarmClient(lab)) as swarm:
        placed = [one for one in swarm.containers() if service.owns(one.name)]
    with closing(ProxyClient(lab)) as proxy:
        listed, served = [books.kept(book) for book in proxy.books()], proxy.served_by(service.path)
    with closing(JenkinsClient(lab)) as jenkins:
        building = jenkins.building()
    known = {part: consul.instances(service.registered(part)) for part in service.parts}
    nodes = {part: [one.node for one in entries] for part, entries in known.items()}
    upstream = master.run(f"cat {service.upstream}").stdout.split()
    releases = set(master.run(f"cat {service.folder}/.env").stdout.split())
    defined = master.run("ls /etc/consul.d/service-*.json", check=False).stdout
    healing = master.run("systemctl list-units -q --plain 'lab-heal-*'").stdout
    lock = master.run(f"curl -fsS {CONSUL}/kv/{service.lock_key}", check=False).stdout
    volumes = [
        node.name
        for node in lab.swarm_nodes
        if service.volume in shells[node.name].run("docker volume ls -q").stdout.split()
    ]
    right = {
        "containers": sorted((one.name, one.state) for one in placed)
        == [(service.container("blue"), "running"), (service.container("db"), "running")],
        "catalogue": catalogue_differences(service, placed, nodes) == [],
        "color": consul.live_color(service) == "blue",
        "lock": "Session" not in lock,
        "upstream": [f"{one.address};" for one in known["blue"]] == upstream[4:-1],
        "users": served[:2] == ("1.0", "blue"),
        "books": listed == list(books.BOOKS),
        "volumes": volumes == nodes["db"],
        "releases": {"BLUE_RELEASE=1.0", "GREEN_RELEASE=1.1"} <= releases,
        "healing": (defined, healing, consul.health(service.name)) == ("", "", "unknown"),
        "Jenkins": not building,
        "components": health.unwell(lab, shells) == [],
        "leftovers": leftovers(shells) == [],
    }
    return [what for what, holds in right.items() if not holds]


def reset(lab: Lab, shells: Mapping[str, Shell]) -> list[str]:
    said: list[str] = []
    room.reset(lab, shells, said.append)

    def is_proved() -> bool:
        wrong = proof(lab, shells)
        assert wrong == []
        return True

    wait_until(is_proved, SWARM_KNOWS, "the proof of the baseline")
    return said


@pytest.fixture(autouse=True)
def at_the_baseline(lab: Lab, shells: Mapping[str, Shell]) -> None:
    reset(lab, shells)


def test_at_the_baseline_nothing_is_put_back(lab: Lab, shells: Mapping[str, Shell]) -> None:
    assert reset(lab, shells) == []


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_by_hand_is_put_back(
    what: str, lab: Lab, shells: Mapping[str, Shell], faults: ScenarioFaults
) -> None:
    known = words(lab, look(lab, shells), "the master", faults.harness.chance)
    known["url"] = lab.public_address(lab.main_service)
    shells[lab.master.name].run(filled(BROKEN[what], known), sudo=False)
    assert reset(lab, shells) != []


def test_a_cut_over_is_put_back(lab: Lab, shells: Mapping[str, Shell]) -> None:
    by_hand.deploy(lab, shells[lab.master.name], lab.main_service, "1.1", print)
    assert reset(lab, shells) != []


def test_an_earlier_database_is_forgotten(lab: Lab, shells: Mapping[str, Shell]) -> None:
    for node in lab.swarm_nodes:
        shells[node.name].run(f"docker volume create {lab.main_service.volume}")
    assert reset(lab, shells) != []


def test_a_build_that_is_under_way_is_waited_for(lab: Lab, shells: Mapping[str, Shell]) -> None:
    with closing(JenkinsClient(lab)) as jenkins:
        jenkins.trigger(lab.main_service.name)
    assert reset(lab, shells) != []


@pytest.mark.parametrize("name", TRIED)
@pytest.mark.parametrize("journaled", [True, False], ids=["open", "unknown"])
def test_a_fault_is_ended(
    *,
    journaled: bool,
    name: str,
    lab: Lab,
    shells: Mapping[str, Shell],
    faults: ScenarioFaults,
    tmp_path: Path,
) -> None:
    """Also one that no journal knows, where its own node can undo it."""
    example = TRIED[name]
    harness = faults.harness if journaled else room.Harness(lab, shells, tmp_path / "faults.jsonl")
    known = words(lab, look(lab, shells), example.target, harness.chance)
    planned = harness.plan(made(name, **example.settings), filled(example.target, known), 300)
    if not journaled and any(action.place is None for action in planned.actions):
        pytest.skip("only the host can undo it, and only by its journal")
    harness.begin(planned)
    reset(lab, shells)
