"""`lab save`, `restore`, `checkpoints` and `checkpoint rm` from their words to their exit codes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.checkpoints import manifest, shelf
from lab import config, engine, environment, machines, network
from tests.deployments.checkpoints.test_manifest import SAVED

Said = tuple[int, str, str]
Lab = Callable[..., Said]


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A host without a lab: whoever reaches for one fails."""
    monkeypatch.setattr(environment, "STATE", tmp_path)
    monkeypatch.setattr(shelf, "STATE", tmp_path)
    monkeypatch.setenv("LAB_FILE", str(config.LAB_FILE))
    monkeypatch.setenv(environment.LAB, "")
    for room, name in ((machines, "shells"), (engine, "connect"), (network, "is_present")):
        monkeypatch.setattr(room, name, lambda *_, **__: pytest.fail("it reached for the lab"))
    return tmp_path


@pytest.mark.parametrize("line", ["save a", "restore a", "checkpoints", "checkpoint rm a"])
def test_machines_that_cannot_be_saved_are_refused(
    line: str, command: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_PROVIDER", "virtualbox")
    code, _, err = command(*line.split())
    assert code == 4
    assert "virtualbox" in err


def test_a_name_that_is_taken_is_refused_before_the_lab_is_asked(command: Lab) -> None:
    shelf.put(SAVED)
    code, _, err = command("save", "first")
    assert code == 2
    assert "already" in err


@pytest.mark.parametrize("line", ["restore frist", "checkpoint rm frist"])
def test_an_unknown_checkpoint_is_refused_with_the_nearest(line: str, command: Lab) -> None:
    shelf.put(SAVED)
    code, _, err = command(*line.split())
    assert code == 2
    assert 'did you mean "first"' in err


def test_the_checkpoint_of_another_lab_is_refused(command: Lab) -> None:
    shelf.put(dataclasses.replace(SAVED, lab="other"))
    code, _, err = command("restore", "first")
    assert code == 2
    assert "of the lab other" in err


def test_the_checkpoint_of_another_lab_file_is_refused(command: Lab) -> None:
    shelf.put(dataclasses.replace(SAVED, lab_file=manifest.lab_digest(config.load(config.LAB_FILE))[::-1]))
    code, _, err = command("restore", "first")
    assert code == 1
    assert "the lab file is not as it was" in err


def test_checkpoints_are_listed_for_people_and_for_programs(command: Lab) -> None:
    assert command("checkpoints")[1] == "this lab has no checkpoint\n"
    shelf.put(SAVED)
    assert "books-service 1.0 on blue" in command("checkpoints")[1]
    assert json.loads(command("checkpoints", "--format", "json")[1]) == [SAVED.facts]


@pytest.mark.parametrize("line", ["status", "deploy books-service 1.1"])
def test_a_restore_that_was_not_ended_is_told(line: str, command: Lab) -> None:
    shelf.put(SAVED)
    shelf.begin_restore("first")
    code, _, err = command(*line.split())
    assert code == 1
    assert "lab restore first" in err
