"""Every .feature file of this folder; the pairs are chosen by the seed."""

import random

import pytest
from pytest_bdd import scenario, scenarios

# Components that do not hold each other's place, each with what may happen to it.
PAIRED = {
    "the live color": ("is stopped", "is killed", "is paused", "runs out of memory", "is 200 ms late"),
    "the database": ("is stopped", "is killed", "is paused", "is 200 ms late", "has its port blocked"),
    "nginx": ("is stopped", "is killed", "is paused"),
    "the master": ("has its Consul agent stopped", "has its Consul agent killed", "burns 2 processors"),
    "the Swarm manager": ("is stopped", "is killed", "is paused"),
    "Jenkins": ("is stopped", "is paused"),
    "a spare node": ("loses power", "is halted", "freezes", "is isolated", "has its Docker daemon stopped"),
    "registrator on swarm-node-01": ("is killed", "is paused"),
}


def pairs(seed: int, count: int) -> list[tuple[str, str]]:
    """The pairs of a seed, each two phrases; more of them begin with the fewer."""
    chosen = []
    for number in range(count):
        chance = random.Random(f"{seed} {number}")
        first, second = (
            f"{target} {chance.choice(PAIRED[target])}" for target in chance.sample(list(PAIRED), 2)
        )
        chosen.append((first, second))
    return chosen


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "pair" in metafunc.fixturenames:
        config = metafunc.config
        chosen = pairs(config.getoption("--seed"), config.getoption("--pairs"))
        metafunc.parametrize("pair", chosen, ids=[" + ".join(pair) for pair in chosen])


@scenario("pairs.feature", "Two faults of the seed's choice")
def test_two_faults_at_once(pair: tuple[str, str]) -> None:
    pass


scenarios(".")
