"""Binds the phrases of the features; the Python behind them is in scenarios/steps."""

from scenarios.steps.article import *  # noqa: F403
from scenarios.steps.deployments import *  # noqa: F403
from scenarios.steps.healing import *  # noqa: F403
from scenarios.steps.world import *  # noqa: F403
