"""Binds the phrases of the features; the Python behind them is in scenarios/steps."""

import random
import secrets
from typing import Any

import pytest

from lab import config as lab_config
from lab import engine
from lab.providers import kvm
from scenarios import addresses, placing, plugin, workers
from scenarios.steps.article import *  # noqa: F403
from scenarios.steps.board import *  # noqa: F403
from scenarios.steps.browser import *  # noqa: F403
from scenarios.steps.checkpoints import *  # noqa: F403
from scenarios.steps.deployments import *  # noqa: F403
from scenarios.steps.faults import *  # noqa: F403
from scenarios.steps.healing import *  # noqa: F403
from scenarios.steps.verdicts import *  # noqa: F403
from scenarios.steps.workshop import *  # noqa: F403
from scenarios.steps.world import *  # noqa: F403

engine.adopt_environment()  # whatever the shell says: before anything is asked


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lab")
    group.addoption(
        "--seed", type=int, default=secrets.randbelow(10**6), help="makes every choice of a fault repeatable"
    )
    group.addoption("--wait", action="store_true", help="wait for another command that holds the lab")
    group.addoption("--shuffle", action="store_true", help="play the scenarios in an order of the seed's")
    group.addoption("--pairs", type=int, default=2, help="pairs of faults that features/chaos tries")
    group.addoption("--times", type=int, default=1, help="how often features/chaos/crash tries each kind")


def pytest_report_header(config: pytest.Config) -> str:
    return f"seed: {config.getoption('--seed')}"


def pytest_configure(config: pytest.Config) -> None:
    kvm.adopt_patience(lab_config.load())
    told = workers.of_worker(config)
    config.pluginmanager.register(workers.Worker(told) if told else workers.Main(config, plugin.running))
    config.pluginmanager.register(plugin, "plugin")  # keeps what each run leaves in .lab/runs


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--shuffle"):
        random.Random(config.getoption("--seed")).shuffle(items)
    elif told := workers.of_worker(config):
        items[:] = placing.ordered(items, told["seconds"])


def pytest_bdd_before_step_call(request: pytest.FixtureRequest, step_func_args: dict[str, Any]) -> None:
    # The features print the article's nodes and addresses; another lab.yml may have others.
    lab = request.getfixturevalue("lab")
    for name, value in step_func_args.items():
        if isinstance(value, str):
            step_func_args[name] = addresses.of_lab(value, lab)
