from __future__ import annotations

import base64
import random
from dataclasses import replace

import pytest

from faults.targets import Container, Snapshot, look, resolve
from lab.errors import CheckFailed, ConfigError, LabError
from lab.model import Lab
from lab.testing import FakeShell

MEANT = {
    "the live color": ("booksservice_blue_1", ("swarm-node-01",)),
    "the idle color": ("booksservice_green_1", ("swarm-node-02",)),
    "the database": ("booksservice_db_1", ("swarm-node-03",)),
    "nginx": ("nginx", ("swarm-master",)),
    "registrator on swarm-node-02": ("registrator", ("swarm-node-02",)),
    "booksservice_db_1": ("booksservice_db_1", ("swarm-node-03",)),
    "the node of the live color": (None, ("swarm-node-01",)),
    "the node of the database": (None, ("swarm-node-03",)),
    "the node of registrator on swarm-node-01": (None, ("swarm-node-01",)),
    "the master": (None, ("swarm-master",)),
    "swarm-node-02": (None, ("swarm-node-02",)),
    "all but the master": (None, ("swarm-node-01", "swarm-node-02", "swarm-node-03")),
    "every node": (None, ("swarm-master", "swarm-node-01", "swarm-node-02", "swarm-node-03")),
}


@pytest.mark.parametrize("target", MEANT)
def test_a_target_means(target: str, snapshot: Snapshot, chance: random.Random) -> None:
    found = resolve(snapshot, target, chance)
    assert (found.container.name if found.container else None, found.nodes) == MEANT[target]


def test_the_live_color_is_what_consul_says_now(snapshot: Snapshot, chance: random.Random) -> None:
    found = resolve(replace(snapshot, live={"books-service": "green"}), "the live color", chance)
    assert found.on == ("booksservice_green_1 on swarm-node-02",)


def test_a_stopped_leftover_does_not_hide_the_one_that_runs(
    snapshot: Snapshot, chance: random.Random
) -> None:
    blue = next(one for one in snapshot.containers if one.name == "booksservice_blue_1")
    both = (*snapshot.containers, replace(blue, node="swarm-node-03", state="exited"))
    assert resolve(replace(snapshot, containers=both), "the live color", chance).nodes == ("swarm-node-01",)


@pytest.mark.parametrize("target", ["any node", "a minority"])
def test_a_seed_repeats_a_choice(target: str, snapshot: Snapshot) -> None:
    chosen = [resolve(snapshot, target, random.Random("x")).nodes for _ in range(5)]
    assert len(set(chosen)) == 1
    assert len({resolve(snapshot, target, random.Random(n)).nodes for n in range(40)}) == 3


def test_a_minority_is_less_than_half_and_never_the_master(snapshot: Snapshot) -> None:
    for seed in range(40):
        found = resolve(snapshot, "a minority", random.Random(seed)).nodes
        assert len(found) < len(snapshot.nodes) / 2
        assert "swarm-master" not in found


def test_a_spare_node_carries_nothing_that_runs(snapshot: Snapshot) -> None:
    for seed in range(20):
        assert resolve(snapshot, "a spare node", random.Random(seed)).nodes == ("swarm-node-02",)


def test_when_every_node_carries_something_none_is_spare(snapshot: Snapshot, chance: random.Random) -> None:
    running = tuple(replace(one, state="running") for one in snapshot.containers)
    with pytest.raises(CheckFailed, match="none is spare"):
        resolve(replace(snapshot, containers=running), "a spare node", chance)


WRONG = {
    "the live color of books-fee": "matches nothing",
    "the live colour": 'matches nothing; did you mean "the live color"?',
    "swarm-node-1": 'matches nothing; did you mean "swarm-node-01"?',
    "ngnix": 'matches nothing; did you mean "nginx"?',
    "registrator": 'the target "registrator" matches 3 containers',
    "the node of nothing at all": "matches nothing",
    "registrator on swarm-master": "matches nothing",
    "": "matches nothing",
}


@pytest.mark.parametrize("target", WRONG)
def test_a_target_that_is_nothing_or_too_much_is_refused(
    target: str, snapshot: Snapshot, chance: random.Random
) -> None:
    with pytest.raises(ConfigError) as error:
        resolve(snapshot, target, chance)
    assert WRONG[target] in str(error.value)


def test_too_much_names_one_that_would_do(snapshot: Snapshot, chance: random.Random) -> None:
    with pytest.raises(ConfigError, match="try next:  registrator on swarm-node-01"):
        resolve(snapshot, "registrator", chance)


def test_without_a_live_color_there_is_no_guess(snapshot: Snapshot, chance: random.Random) -> None:
    with pytest.raises(CheckFailed, match="Consul names no live color"):
        resolve(replace(snapshot, live={}), "the live color", chance)


def test_looking_asks_each_node_once(lab: Lab, shells: dict[str, FakeShell], snapshot: Snapshot) -> None:
    seen = look(lab, shells)
    assert replace(seen, containers=()) == replace(snapshot, containers=())
    assert set(seen.containers) == set(snapshot.containers)
    assert {len(shell.scripts) for shell in shells.values()} == {1}


def test_a_node_that_does_not_answer_is_told(lab: Lab, shells: dict[str, FakeShell]) -> None:
    shells["swarm-node-02"].answers = {"": LabError("does not answer over SSH")}
    seen = look(lab, shells)
    assert seen.answering == {"swarm-master", "swarm-node-01", "swarm-node-03"}
    assert seen.on("swarm-node-02") == []


def test_a_word_of_consul_that_is_no_color_is_none(lab: Lab, shells: dict[str, FakeShell]) -> None:
    master = shells["swarm-master"]
    answer = master.answers["docker ps -a"]
    assert not isinstance(answer, Exception)
    purple = base64.b64encode(b"purple").decode()
    master.answers = {"": replace(answer, stdout=answer.stdout.replace("Ymx1ZQ==", purple))}
    assert look(lab, shells).live == {}


def test_before_any_deployment_no_color_is_live(lab: Lab, shells: dict[str, FakeShell]) -> None:
    master = shells["swarm-master"]
    answer = master.answers["docker ps -a"]
    assert not isinstance(answer, Exception)
    master.answers = {"": replace(answer, stdout=answer.stdout.rpartition("\n")[0] + "\n")}
    assert look(lab, shells).live == {}


def test_a_color_of_another_service_is_named_with_it(snapshot: Snapshot, chance: random.Random) -> None:
    front = Container("booksfe_green_1", "fe" * 32, "swarm-node-03", "running", (32770,))
    seen = replace(
        snapshot, containers=(*snapshot.containers, front), live={**snapshot.live, "books-fe": "green"}
    )
    assert resolve(seen, "the live color of books-fe", chance).container == front
    assert resolve(seen, "the node of the live color of books-fe", chance).nodes == ("swarm-node-03",)
    assert resolve(seen, "the live color of books-service", chance).on == (
        "booksservice_blue_1 on swarm-node-01",
    )
    with pytest.raises(CheckFailed, match='"the live color of books-fe" cannot be told'):
        resolve(snapshot, "the live color of books-fe", chance)
