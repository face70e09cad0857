from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from board import snapshot
from board.looking import Around, Inside
from board.traffic import Second
from deployments.observed import Container
from faults.history import Injected
from lab import config
from lab.clients.consul import Check
from lab.clients.jenkins import Newest
from lab.clients.swarm import Placed
from provisioning.health import Seen
from scenarios.workshop import reading

LAB = config.load(config.LAB_FILE)
STEPS = reading.steps(LAB)
NOW = 1000.0
BLUE = Placed("booksservice_blue_1", "swarm-node-01", "running", "10.0.0.1:5000/books-service:1.0")
PAGE = Placed("booksfe_green_1", "swarm-node-02", "running", "10.0.0.1:5000/books-fe:1.0")
FAULT = Injected(
    "ab", "pause", "the live color", ("booksservice_blue_1",), ("n",), 990.0, 30.0, 1025.0, (), "injected"
)
HEALTH = Check("swarm-master", "Service health", "books-service", "passing", "200 OK")
ALIVE = Check("swarm-node-02", "Serf Health Status", "", "critical", "Agent not live or unreachable")
WELL = Around(
    NOW,
    live={"books-service": "blue", "books-fe": None},
    containers=(BLUE, PAGE),
    checks=(HEALTH,),
    builds=(("books-service", Newest(3, "FAILURE", 900.0, 912.0)),),
    silent={},
)
INSIDE = Inside(NOW, colors={"blue": "live", "green": "gone"}, step=1, check="there is no green")


def page(around: Around | None, inside: Inside | None) -> dict[str, Any]:
    return snapshot.lab(LAB, STEPS, around, inside, since=1.4, stuck=2.6)


def node(told: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in told["nodes"] if one["name"] == name)


# --- the state ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("around", "inside", "word", "why"),
    [
        (None, None, "looking", "first look"),
        (Around(NOW, away="no lab is up"), None, "down", "no lab is up"),
        (Around(NOW, away="no lab is up"), INSIDE, "down", "no lab is up"),
        (replace(WELL, silent={"Consul": "Consul is silent"}), INSIDE, "unwell", "Consul is silent"),
        (replace(WELL, faults=(FAULT,)), INSIDE, "broken", "pause on the live color"),
        (replace(WELL, checks=(replace(HEALTH, status="critical"),)), INSIDE, "unwell", "Service health"),
        (WELL, None, "looking", "not been asked"),
        (WELL, Inside(NOW, away="no lab is up"), "looking", "not been asked"),
        (WELL, Inside(NOW, wrong="nginx on swarm-master"), "unwell", "nginx on swarm-master"),
        (WELL, INSIDE, "steady", "no fault is open"),
    ],
)
def test_the_state_is_one_word_with_its_reason(
    around: Around | None, inside: Inside | None, word: str, why: str
) -> None:
    told = page(around, inside)
    assert told["state"] == word and why in told["why"]


def test_a_lab_that_was_never_seen_is_a_whole_page() -> None:
    told = page(None, None)
    assert [one["name"] for one in told["nodes"]] == [one.name for one in LAB.nodes]
    assert (told["step"], told["checks"], told["builds"], told["faults"]) == (None, [], [], [])
    assert (told["since"], told["looked"]) == (1, {"around": None, "inside": None})
    assert json.dumps(told)


@pytest.mark.parametrize(
    ("around", "asked"), [(None, False), (Around(NOW, away="no lab is up"), False), (WELL, True)]
)
def test_of_a_lab_that_was_not_asked_nothing_is_claimed(around: Around | None, asked: bool) -> None:
    assert page(around, None)["asked"] is asked


# --- nodes and containers -----------------------------------------------------------------------------------


def test_a_container_stands_on_its_node_with_its_color() -> None:
    told = page(WELL, INSIDE)
    assert node(told, "swarm-node-01")["containers"] == [
        {
            "name": "booksservice_blue_1",
            "state": "running",
            "image": "books-service:1.0",
            "color": "blue",
            "live": True,
        }
    ]
    (green,) = node(told, "swarm-node-02")["containers"]
    assert (green["color"], green["live"]) == ("green", False)


def test_a_database_has_no_color() -> None:
    db = replace(BLUE, name="booksservice_db_1")
    (told,) = node(page(replace(WELL, containers=(db,)), INSIDE), "swarm-node-01")["containers"]
    assert (told["color"], told["live"]) == (None, False)


def test_what_a_node_says_of_its_containers_wins_over_what_swarm_remembers() -> None:
    paused = replace(WELL, containers=(replace(BLUE, state="paused"), PAGE))
    runs = Container(BLUE.name, BLUE.node, "running", BLUE.image, "2026-01-01T10:00:00Z")
    told = page(paused, replace(INSIDE, containers=(runs,)))
    assert [one["state"] for one in node(told, "swarm-node-01")["containers"]] == ["running"]
    assert len(node(told, "swarm-node-02")["containers"]) == 1, "another service's is Swarm's to tell"


def test_a_node_says_what_is_unwell_on_it_and_whether_its_agent_is_there() -> None:
    seen = replace(WELL, checks=(HEALTH, ALIVE))
    told = page(seen, replace(INSIDE, unwell=(Seen("nginx", "swarm-master", "exit\n7"),)))
    assert node(told, "swarm-master")["unwell"] == ["nginx: exit 7"]
    assert node(told, "swarm-node-02")["agent"] == "critical"
    assert node(told, "swarm-node-03")["agent"] is None
    assert [one["name"] for one in told["checks"]] == ["Service health"], "of services alone"


# --- the rest -----------------------------------------------------------------------------------------------


def test_what_a_check_printed_is_one_short_line() -> None:
    loud = replace(HEALTH, output="<script>\n" * 999)
    (told,) = page(replace(WELL, checks=(loud,)), INSIDE)["checks"]
    assert told["output"].isprintable() and len(told["output"]) == snapshot.MOST_OUTPUT


def test_faults_and_builds_are_told_with_their_moments() -> None:
    told = page(replace(WELL, faults=(FAULT,)), INSIDE)
    assert told["faults"] == [
        {
            "id": "ab",
            "name": "pause",
            "target": "the live color",
            "on": "booksservice_blue_1",
            "at": 990.0,
            "deadline": 1025.0,
        }
    ]
    assert told["builds"] == [
        {"job": "books-service", "number": 3, "result": "FAILURE", "begin": 900.0, "end": 912.0}
    ]


def test_the_step_is_the_next_one_with_what_it_lacks() -> None:
    told = page(WELL, INSIDE)["step"]
    assert told == {
        "number": 1,
        "of": len(STEPS),
        "done": False,
        "title": STEPS[0].title,
        "check": "there is no green",
        "since": 3,
    }


def test_after_the_last_step_all_are_done() -> None:
    told = page(WELL, replace(INSIDE, step=len(STEPS) + 1, check=""))["step"]
    assert (told["done"], told["title"]) == (True, "")


def test_services_are_told_with_their_live_and_idle_color() -> None:
    assert page(WELL, INSIDE)["services"] == [
        {"name": "books-service", "live": "blue", "idle": "green"},
        {"name": "books-fe", "live": None, "idle": None},
    ]


def test_the_picture_has_one_row_a_second() -> None:
    told = snapshot.traffic([Second(998, 5), Second(999, 0, 0, 0, 2, 3)], NOW)
    assert told["seconds"] == [(998, 5, 0, 0, 0, 0), (999, 0, 0, 0, 2, 3)]
