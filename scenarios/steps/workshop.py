"""The article's steps as phrases: what a step begins with, and what must hold when it is done."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_bdd import given, parsers, then

from lab.model import Lab
from lab.shell import Shell
from scenarios.workshop import playing, reading
from scenarios.workshop.checks import PHRASE


@given(parsers.parse("step {number} is done"))
def step_is_done(lab: Lab, shells: Mapping[str, Shell], number: str) -> None:
    playing.do(lab, shells, reading.find(reading.steps(lab), number), print)


@then(parsers.re(f"(?P<phrase>{PHRASE})"))
def holds(lab: Lab, shells: Mapping[str, Shell], phrase: str) -> None:
    playing.wait(lab, shells, phrase)
