"""Bringing containers back, with programs that are played: what replaced one is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from faults.fault import Site
from faults.kinds import back
from faults.targets import Container
from lab import config

LAB = config.load(config.LAB_FILE)
NODE = LAB.swarm_nodes[0]
FRONT, BLUE, DB, REGISTRATOR = (
    Container(name, id, NODE.name, "running")
    for name, id in (
        ("booksfe_blue_1", "fe"),
        ("booksservice_blue_1", "bl"),
        ("booksservice_db_1", "db"),
        ("registrator", "re"),
    )
)
LIVE = {"books-service": "blue", "books-fe": "blue"}


class Lab:
    """A node whose containers are `states` (id -> state); Consul's live colors; what else the swarm runs."""

    def __init__(self, played: Any) -> None:
        self.played = played
        self.states = {one.id: "exited" for one in (FRONT, BLUE, DB, REGISTRATOR)}
        self.live = dict(LIVE)
        self.swarm = ""

    def run(self, script: str) -> Any:
        for id, state in self.states.items():
            (self.played.state / id).write_text(state)
        self.played.by_words(
            "docker",
            {
                "version*": "true",
                "inspect *": 'cat "$state/${@: -1}" 2>/dev/null',
                "-H *": f"printf '%s\\n' '{self.swarm}'",
                "start *": 'echo running >"$state/$2"',
                "unpause *": 'echo running >"$state/$2"',
            },
        )
        colors = {f"*services/{name}/color*": f"echo {color}" for name, color in self.live.items()}
        self.played.by_words("curl", colors)
        return self.played.run(script)


@pytest.fixture
def lab(played: Any) -> Lab:
    return Lab(played)


def site(*hit: Container) -> Site:
    return Site("0123abcd", LAB, NODE, 5, running=hit, live=LIVE)


def started(lab: Lab) -> list[str]:
    return [call.removeprefix("docker start ") for call in lab.played.calls("docker start")]


def test_what_ran_is_started_again_and_seen_to_run(lab: Lab) -> None:
    place = site(FRONT, BLUE, DB, REGISTRATOR)
    assert lab.run(back.are_back(place)).stdout == "booksfe_blue_1 is exited\n"
    assert lab.run(back.bring_back(place)).returncode == 0
    assert started(lab) == ["fe", "bl", "db", "re"]
    lab.states = dict.fromkeys(lab.states, "running")
    assert lab.run(back.are_back(place)).returncode == 0


@pytest.mark.parametrize(("service", "hit"), [("books-service", BLUE), ("books-fe", FRONT)])
def test_a_color_of_any_service_stays_down_when_the_other_went_live(
    service: str, hit: Container, lab: Lab
) -> None:
    lab.live[service] = "green"
    assert lab.run(back.bring_back(site(hit))).returncode == 0
    assert started(lab) == []
    assert lab.run(back.are_back(site(hit))).returncode == 0


def test_a_database_stays_down_when_one_of_its_name_runs_elsewhere(lab: Lab) -> None:
    lab.live["books-service"] = "green"  # which says nothing of the database
    lab.swarm = "other swarm-node-03/booksservice_db_1"
    lab.run(back.bring_back(site(DB)))
    assert started(lab) == []
    lab.swarm = "db swarm-node-01/booksservice_db_1"  # it is the same one, as Swarm still has it
    lab.run(back.bring_back(site(DB)))
    assert started(lab) == ["db"]


def test_a_container_of_no_service_is_never_replaced(lab: Lab) -> None:
    lab.swarm = "other swarm-node-03/registrator"
    lab.run(back.bring_back(site(REGISTRATOR)))
    assert started(lab) == ["re"]


def test_what_is_gone_is_back_and_what_is_paused_goes_on(lab: Lab) -> None:
    del lab.states["bl"]
    lab.states["db"] = "paused"
    assert lab.run(back.bring_back(site(BLUE, DB))).returncode == 0
    assert lab.played.calls("unpause", "docker start") == ["docker unpause db"]
    lab.states["db"] = "running"
    assert lab.run(back.are_back(site(BLUE, DB))).returncode == 0


@pytest.mark.parametrize(
    ("hit", "services"), [((BLUE,), 1), ((FRONT, BLUE), 2), ((DB,), 0), ((REGISTRATOR,), 0)]
)
def test_nginx_is_told_of_each_live_color_that_was_hit(hit: tuple[Container, ...], services: int) -> None:
    actions = back.repointing(site(*hit))
    assert len(actions) == min(services, 1)
    assert sum(action.heal.count("until_true 10 turn") for action in actions) == services
