"""What runs on a node is in Consul's catalogue, or is told and mended; with programs that are played."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab import config
from provisioning.build import Built
from provisioning.resources import Trouble
from provisioning.roles import registrator

LAB = config.load(config.LAB_FILE)
NODE = LAB.node("swarm-node-02")
(TROUBLE,) = (
    resource
    for resource in registrator.resources(LAB, NODE, Built({}, {"registrator": "d"}, ("", "")))
    if isinstance(resource, Trouble)
)
DB, BLUE = "swarm-node-02:booksservice_db_1:27017", "swarm-node-02:booksservice_blue_1:8080"


def running(name: str, *ports: tuple[int, int | None]) -> dict[str, object]:
    """A container as the engine lists it, with its ports and where they are published."""
    listed = [{"PrivatePort": own, "PublicPort": at, "Type": "tcp"} for own, at in ports]
    return {"Names": ["/other/linked", f"/{name}"], "Ports": listed}


RUNNING = [
    running("registrator"),
    running("booksservice_db_1", (27017, 27017)),
    running("booksservice_blue_1", (8080, 32768), (8080, 32768), (9000, None)),
    running("swarm-node", (2375, None)),
]
STATE = '{"Id":"1","State":{"Status":"running"},"Name":"/registrator"}'


class Node:
    """A node whose agent is `own`; the catalogue has it as `known`, with these services."""

    def __init__(self, played: Any) -> None:
        self.played = played
        self.own, self.known = "id-1", "id-1"
        self.services = [DB, BLUE]
        self.later: list[str] = []  # known at the second look
        self.cut_at: int | None = None  # what the agent says ends there

    def run(self, script: str) -> Any:
        agent = json.dumps({"Config": {"NodeID": self.own}})[: self.cut_at]
        looks = [
            json.dumps({"Node": {"ID": self.known}, "Services": {id: {} for id in services}})
            for services in (self.services, self.services + self.later)
        ]
        if not self.known:
            looks = ["null", "null"]
        first = f"[ -e $state/looked ] && echo '{looks[1]}' || echo '{looks[0]}'; echo >$state/looked"
        told = f"echo '{agent}'; {first}; echo '{json.dumps(RUNNING)}'"
        self.played.by_words(
            "curl",
            {
                "*agent/self *catalog/node/swarm-node-02 *": told if self.own else "exit 7",
                "*agent/self": f"echo '{agent}'" if self.own else "exit 7",
                "*catalog/node/swarm-node-02": first if self.own else "exit 7",
                "*catalog/deregister": "true",
                "*/registrator/json": f"echo '{STATE}'",
                "*/registrator/logs*": "printf '\\1\\0\\0\\0Listening for Docker events\\n'",
            },
        )
        self.played.program("docker")
        return self.played.run(script)


@pytest.fixture
def node(played: Any) -> Node:
    return Node(played)


def test_what_is_in_the_catalogue_is_no_trouble(node: Node) -> None:
    assert node.run(TROUBLE.observe).stdout == ""


@pytest.mark.parametrize(("known", "missing"), [([DB], [BLUE]), ([], [BLUE, DB])])
def test_what_runs_and_is_not_in_the_catalogue_is_told(
    known: list[str], missing: list[str], node: Node
) -> None:
    node.services = known
    assert sorted(node.run(TROUBLE.observe).stdout.split()) == missing


def test_what_has_just_started_is_given_a_moment(node: Node) -> None:
    node.services, node.later = [DB], [BLUE]
    assert node.run(TROUBLE.observe).stdout == ""


@pytest.mark.parametrize("known", ["id-0", ""])
def test_an_agent_that_the_catalogue_has_as_another_or_not_at_all_is_told(known: str, node: Node) -> None:
    node.known = known
    assert "the agent id-1" in node.run(TROUBLE.observe).stdout.splitlines()


def test_of_a_consul_that_is_silent_nothing_can_be_told(node: Node) -> None:
    node.own, node.services = "", []
    assert node.run(TROUBLE.observe).stdout == ""


def test_an_answer_that_cannot_be_read_is_no_health(node: Node) -> None:
    node.cut_at = -1
    (health,) = registrator.health(LAB, NODE)
    done = node.run(health.check)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "not in the catalogue: cannot be told")


def test_missing_services_are_registered_anew(node: Node) -> None:
    assert TROUBLE.converge("", frozenset()) is None
    script = TROUBLE.converge(BLUE, frozenset())
    assert script is not None
    assert node.run(script).returncode == 0
    assert node.played.calls("docker", "deregister") == ["docker restart -t 1 registrator"]


def test_an_agent_of_another_id_is_forgotten_before_it_is_registered_anew(node: Node) -> None:
    node.known = "id-0"
    assert node.run(TROUBLE.mend).returncode == 0
    forget, restart = node.played.calls("docker", "deregister")
    assert forget.endswith('-X PUT -d {"Node": "swarm-node-02"} http://localhost:8500/v1/catalog/deregister')
    assert restart == "docker restart -t 1 registrator"


@pytest.mark.parametrize(("services", "healthy"), [([DB, BLUE], True), ([DB], False)])
def test_it_is_healthy_only_when_the_catalogue_has_what_runs(
    services: list[str], healthy: bool, node: Node
) -> None:
    node.services = services
    (health,) = registrator.health(LAB, NODE)
    done = node.run(health.check)
    assert (done.returncode == 0) == healthy
    assert healthy or f"not in the catalogue: {BLUE}" in done.stdout
