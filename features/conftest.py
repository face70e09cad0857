"""Binds the phrases of the features; the Python behind them is in scenarios/steps."""

from scenarios.steps.article import *  # noqa: F403
