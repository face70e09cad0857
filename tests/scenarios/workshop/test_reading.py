"""The steps are the scenarios of the article that carry a number."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab import config
from lab.errors import ConfigError
from lab.model import Lab, Node
from scenarios.workshop import reading
from scenarios.workshop.reading import Commands, Step, find, number_of, parsed, steps

LAB = config.load(config.LAB_FILE)
OTHER = Lab("o", "docker", "10.7.0.0/24", 5, (Node("boss", "10.7.0.1", ("master",)),), LAB.services)
FEATURE = """
Feature: F
  Background:
    Given the lab is at its baseline

  Scenario: No step
    When swarm-master runs
      \"\"\"
      no
      \"\"\"

  @step-2 @deadline-600
  Scenario: Second
    Why 10.100.199.200
    does it.

    Given swarm-master has run
      \"\"\"
      before
      \"\"\"
    When swarm-master runs
      \"\"\"
      curl 10.100.199.200 |
        jq .
      \"\"\"
    And swarm-master runs
      \"\"\"
      two
      \"\"\"
    Then users get blue
    And no request fails
    And green is stopped
"""


@pytest.mark.parametrize(
    ("tag", "number"),
    [
        ("@step-1", 1),
        ("step-12", 12),
        ("step-0", None),
        ("step-", None),
        ("step-1x", None),
        ("deadline-6", None),
    ],
)
def test_a_tag_gives_a_number(tag: str, number: int | None) -> None:
    assert number_of(tag) == number


def test_a_step_is_what_its_scenario_says_with_the_labs_own_names() -> None:
    assert parsed(FEATURE, OTHER) == [
        Step(
            2,
            "Second",
            "Why 10.7.0.1\ndoes it.",
            (Commands("boss", "curl 10.7.0.1 |\n  jq ."), Commands("boss", "two")),
            ("users get blue", "green is stopped"),
        )
    ]


@pytest.mark.parametrize("text", ["", "Feature: none\n"])
def test_a_feature_without_scenarios_has_no_step(text: str) -> None:
    assert parsed(text, LAB) == []


def test_steps_come_by_their_numbers_whatever_their_files_are_called(tmp_path: Path) -> None:
    (tmp_path / "a.feature").write_text(FEATURE)
    (tmp_path / "b.feature").write_text(FEATURE.replace("step-2", "step-1"))
    assert [step.number for step in steps(LAB, tmp_path)] == [1, 2]


def test_the_articles_steps_are_numbered_without_a_gap_and_say_all_that_a_learner_needs() -> None:
    known = steps(LAB)
    assert [step.number for step in known] == list(range(1, len(known) + 1)) != []
    for step in known:
        assert step.title and step.explanation and step.commands and step.checks, step.number


def test_every_tag_of_a_step_is_on_a_scenario_with_one_way_to_play_it() -> None:
    texts = [path.read_text() for path in reading.FOLDER.glob("*.feature")]
    lines = [line for text in texts for line in re.findall(r"@step-\d+.*\n +(.*)", text)]
    assert len(lines) == len(steps(LAB)) and all(line.startswith("Scenario: ") for line in lines)


@pytest.mark.parametrize("word", ["0", "9", "-1", "1.0", "01", "", "one", "\x1b[2J", "²"])
def test_a_step_that_is_not_there_is_refused_with_those_that_are(word: str) -> None:
    with pytest.raises(ConfigError, match="there is no step") as caught:
        find(steps(LAB), word)
    assert (caught.value.try_next or "").startswith(f"one of 1 to {len(steps(LAB))}")
    assert "\x1b" not in str(caught.value)


def test_a_step_is_found_by_its_number() -> None:
    assert find(steps(LAB), "2").number == 2
