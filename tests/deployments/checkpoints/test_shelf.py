"""The manifests on the host."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from deployments.checkpoints import shelf
from lab import environment
from lab.errors import CheckFailed, ConfigError, HostError
from tests.deployments.checkpoints.test_manifest import SAVED


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(environment, "STATE", tmp_path)
    monkeypatch.setattr(shelf, "STATE", tmp_path)
    monkeypatch.setenv(environment.LAB, "")
    return tmp_path


def quiet(line: str) -> None:
    pytest.fail(line)


def test_a_checkpoint_is_there_from_its_manifest_on_until_that_is_taken_away() -> None:
    shelf.put(SAVED)
    assert shelf.all_of_lab(quiet) == [SAVED]
    assert shelf.find("first") == SAVED
    shelf.take_away("first")
    assert shelf.all_of_lab(quiet) == []


def test_checkpoints_are_listed_in_the_order_they_were_saved() -> None:
    shelf.put(dataclasses.replace(SAVED, name="a", at=2e9))
    shelf.put(SAVED)
    assert [one.name for one in shelf.all_of_lab(quiet)] == ["first", "a"]


def test_a_name_that_is_taken_is_refused() -> None:
    shelf.refuse_taken("first")
    shelf.put(SAVED)
    with pytest.raises(ConfigError, match="already"):
        shelf.refuse_taken("first")


@pytest.mark.parametrize("ask", [shelf.find, shelf.take_away])
def test_an_unknown_checkpoint_is_refused_with_the_nearest(ask: object) -> None:
    shelf.put(SAVED)
    with pytest.raises(ConfigError, match='did you mean "first"'):
        ask("frist")  # type: ignore[operator]


def test_the_checkpoint_of_another_lab_is_unknown_and_said_to_be_that_one_s(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.put(SAVED)
    monkeypatch.setenv(environment.LAB, "beside")
    with pytest.raises(ConfigError, match="another lab has one"):
        shelf.find("first")


def test_a_manifest_that_cannot_be_read_is_said_and_refused(state: Path) -> None:
    (state / "checkpoints").mkdir()
    (state / "checkpoints/torn.json").write_text("{")
    told: list[str] = []
    assert shelf.all_of_lab(told.append) == []
    assert "torn.json" in told[0]
    with pytest.raises(CheckFailed):
        shelf.find("torn")
    shelf.take_away("torn")


def test_a_manifest_that_cannot_be_written_leaves_nothing(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(HostError, match="cannot be written"):
        shelf.put(SAVED)
    assert list((state / "checkpoints").iterdir()) == []


def test_a_restore_that_was_not_ended_is_told_with_what_ends_it() -> None:
    shelf.refuse_unended()
    shelf.put(SAVED)
    shelf.begin_restore("first")
    with pytest.raises(CheckFailed, match="may be a mix") as refused:
        shelf.refuse_unended()
    assert refused.value.try_next == "lab restore first, or lab down"
    shelf.end_restore()
    shelf.refuse_unended()


def test_a_restore_whose_checkpoint_is_gone_is_ended_by_another() -> None:
    shelf.begin_restore("first")
    refused = shelf.unended()
    assert refused is not None
    assert refused.try_next == "lab restore NAME with one of lab checkpoints, or lab down"


def test_a_note_of_a_restore_that_cannot_be_read_is_one_that_was_not_ended(state: Path) -> None:
    (state / "restoring.json").write_text("")
    assert shelf.unended() is not None


def test_all_of_it_goes_with_the_lab(state: Path) -> None:
    shelf.put(SAVED)
    shelf.put(dataclasses.replace(SAVED, name="b"))
    shelf.begin_restore("b")
    assert shelf.clear() == 2
    assert list(state.iterdir()) == []
    assert shelf.clear() == 0
