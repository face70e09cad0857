"""The steps, as the features say them: `parsed` is pure, `steps` reads the files for a lab.

A scenario with the tag @step-N is step N: its title, its description, the doc strings of `NODE runs`, and its
phrases that `checks` knows.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gherkin.parser import Parser

from lab.environment import ROOT
from lab.errors import ConfigError, shown
from lab.model import Lab
from scenarios.addresses import of_lab
from scenarios.workshop import checks

FOLDER = ROOT / "features" / "article"
TAG = re.compile(r"@?step-([1-9][0-9]*)")
TYPED = re.compile(r"([\w-]+) runs")


@dataclass(frozen=True)
class Commands:
    """What is typed on a node, a line each."""

    node: str
    text: str


@dataclass(frozen=True)
class Step:
    """One thing that a learner does. `checks` are phrases that hold when it is done, in the order to look."""

    number: int
    title: str
    explanation: str
    commands: tuple[Commands, ...]
    checks: tuple[str, ...]


# --- reading ------------------------------------------------------------------------------------------------


def number_of(tag: str) -> int | None:
    """The number that a tag such as `step-1` gives, or None for another tag. Pure."""
    found = TAG.fullmatch(tag)
    return int(found[1]) if found else None


def parsed(text: str, lab: Lab) -> list[Step]:
    """The steps of one feature's text, with the nodes and addresses of this lab. Pure."""
    feature: Mapping[str, Any] = Parser().parse(text).get("feature", {"children": []})
    scenarios = (child["scenario"] for child in feature["children"] if "scenario" in child)
    return [
        _step(number, scenario, partial(of_lab, lab=lab))
        for scenario in scenarios
        for number in filter(None, (number_of(tag["name"]) for tag in scenario["tags"]))
    ]


def _step(number: int, scenario: Mapping[str, Any], here: Callable[[str], str]) -> Step:
    lines = [
        (here(line["text"]), here(line.get("docString", {}).get("content", ""))) for line in scenario["steps"]
    ]
    return Step(
        number,
        scenario["name"],
        here(inspect.cleandoc(scenario["description"])),
        tuple(
            Commands(typed[1], text) for phrase, text in lines if text and (typed := TYPED.fullmatch(phrase))
        ),
        tuple(phrase for phrase, _ in lines if checks.is_known(phrase)),
    )


def steps(lab: Lab, folder: Path = FOLDER) -> tuple[Step, ...]:
    """Every step, by its number."""
    found = [step for path in folder.glob("*.feature") for step in parsed(path.read_text(), lab)]
    return tuple(sorted(found, key=lambda step: step.number))


def find(known: tuple[Step, ...], word: str) -> Step:
    """The step of this number. Raises ConfigError that says which there are."""
    for step in known:
        if word == str(step.number):
            return step
    raise ConfigError(f"there is no step {shown(word)}", try_next=f"one of 1 to {len(known)}: lab steps")
