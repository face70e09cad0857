"""What the steps of healing decide, with literals."""

from __future__ import annotations

import pytest

from evidence.answers import Answer
from lab import config
from lab.clients.swarm import Placed
from scenarios.steps.healing import catalogue_differences, served_again
from scenarios.steps.world import SETTLED

LAB = config.load(config.LAB_FILE)
BOOKS = LAB.service("books-service")

# --- users are served again ---------------------------------------------------------------------------------


def answered(words: str) -> list[Answer]:
    """An answer a tenth of a second, from 100 on: + is well, - is not."""
    told = [(100 + number / 10, None if word == "+" else "http 502") for number, word in enumerate(words)]
    return [
        Answer(at, at, at + 0.01, 200, "1.0", "blue", "n1", error, "fail" if error else "ok")
        for at, error in told
    ]


WELL = "+" * SETTLED


@pytest.mark.parametrize(
    ("words", "again"),
    [
        (WELL + WELL, False),  # it was not felt yet
        (WELL + "---", False),
        (WELL + "---" + WELL[1:], False),
        (WELL + "---" + WELL, True),
        (WELL + "---++--" + WELL, True),
        (WELL + "---" + WELL + "-", False),
        ("", False),
    ],
)
def test_users_are_served_again_when_the_fault_was_felt_and_is_over(words: str, again: bool) -> None:
    assert served_again(answered(words), 100 + len(WELL) / 10 - 0.05) == again


# --- the catalogue and the containers -----------------------------------------------------------------------


def placed(**nodes: str) -> list[Placed]:
    """Containers of books-service: part -> `NODE` or `NODE STATE`, several apart by a comma."""
    return [
        Placed(f"booksservice_{part}_1", node, state or "running", "i")
        for part, text in nodes.items()
        for node, _, state in (one.strip().partition(" ") for one in text.split(","))
    ]


def known(**nodes: str) -> dict[str, list[str]]:
    return {"db": [], "blue": [], "green": [], **{part: text.split() for part, text in nodes.items()}}


EQUAL = {
    "nothing at all": ([], known()),
    "one of each": (placed(db="n1", blue="n2"), known(db="n1", blue="n2")),
    "what is stopped is not known": (
        placed(db="n1", blue="n2 exited", green="n2"),
        known(db="n1", green="n2"),
    ),
    "what was never started is not known": (placed(blue="n1 created"), known()),
    "containers of others": ([Placed("booksfe_blue_1", "n1", "running", "i")], known()),
    "a name that only begins alike": ([Placed("booksservice_blue_10", "n1", "running", "i")], known()),
}


@pytest.mark.parametrize("case", EQUAL)
def test_they_agree_with(case: str) -> None:
    containers, entries = EQUAL[case]
    assert catalogue_differences(BOOKS, containers, entries) == []


DIFFERENT = {
    "an entry is stale": (
        placed(blue="n1 exited"),
        known(blue="n1"),
        ["blue runs on [], Consul says ['n1']"],
    ),
    "an entry is missing": (placed(db="n1"), known(), ["db runs on ['n1'], Consul says []"]),
    "an entry is on another node": (
        placed(green="n1"),
        known(green="n2"),
        ["green runs on ['n1'], Consul says ['n2']"],
    ),
    "an entry is doubled": (
        placed(green="n1"),
        known(green="n1 n1"),
        ["green runs on ['n1'], Consul says ['n1', 'n1']"],
    ),
    "a container is doubled and both are known": (
        placed(blue="n1, n2"),
        known(blue="n2 n1"),
        ["booksservice_blue_1 is there 2 times"],
    ),
    "a stopped container is doubled": (
        placed(blue="n1, n2 exited"),
        known(blue="n1"),
        ["booksservice_blue_1 is there 2 times"],
    ),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_they_differ_when(case: str) -> None:
    containers, entries, told = DIFFERENT[case]
    assert catalogue_differences(BOOKS, containers, entries) == told
