"""Binds the phrases of the features; the Python behind them is in scenarios/steps."""

import pytest

from scenarios import recording
from scenarios.steps.article import *  # noqa: F403
from scenarios.steps.deployments import *  # noqa: F403
from scenarios.steps.healing import *  # noqa: F403
from scenarios.steps.verdicts import *  # noqa: F403
from scenarios.steps.world import *  # noqa: F403


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(recording, "recording")  # keeps what each run leaves in .lab/runs
