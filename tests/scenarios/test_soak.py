from __future__ import annotations

import random
from itertools import islice

import pytest

from faults import made
from faults.harness import MOST_SECONDS
from faults.targets import Container, Snapshot, resolve
from lab import config
from scenarios import soak

SNAPSHOT = Snapshot(
    master="m",
    nodes=("m", "n1", "n2", "n3"),
    services=config.load(config.LAB_FILE).services,
    answering=frozenset({"m", "n1", "n2", "n3"}),
    containers=(
        *(Container(name, name, "m", "running") for name in ("nginx", "jenkins", "swarm-master")),
        Container("booksservice_db_1", "d", "n1", "running"),
        Container("booksservice_blue_1", "b", "n2", "running"),
        Container("booksservice_green_1", "g", "n3", "exited"),
    ),
    live={"books-service": "blue"},
)


def drawn(seed: int, number: int = 50) -> list[soak.Turn]:
    return list(islice(soak.turns(seed), number))


def test_a_seed_repeats_its_faults() -> None:
    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_every_choice_comes_in_time() -> None:
    assert {turn.fault for turn in drawn(1, 1000)} == {fault for fault, _, _ in soak.CHOICES}


@pytest.mark.parametrize("choice", soak.CHOICES, ids=lambda choice: str(choice[0]))
def test_every_choice_is_a_fault_with_targets_that_mean_something(
    choice: tuple[str, tuple[str, ...], dict[str, str]],
) -> None:
    fault, targets, settings = choice
    made(fault, **settings)
    for target in targets:
        assert resolve(SNAPSHOT, target, random.Random(1)).on


def test_no_fault_lasts_longer_than_faults_may() -> None:
    assert all(soak.SHORT <= turn.seconds <= soak.LONG < MOST_SECONDS for turn in drawn(3, 500))
