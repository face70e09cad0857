from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lab import waiting
from lab.alone import alone


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the observer of waits was told of."""
    told: list[str] = []
    monkeypatch.setattr(waiting, "observer", lambda what, seconds: told.append(what))
    return told


def test_a_lock_that_is_free_is_no_wait(tmp_path: Path, heard: list[str]) -> None:
    with alone(tmp_path / "machines.lock", lambda: heard.append("waits")):
        pass
    assert heard == []


def test_the_wait_for_another_one_is_told_at_its_begin_and_at_its_end(
    tmp_path: Path, heard: list[str]
) -> None:
    begun, waits = threading.Event(), threading.Event()

    def first() -> None:
        with alone(tmp_path / "machines.lock"):
            begun.set()
            waits.wait(5)

    def second_waits() -> None:
        heard.append("waits")
        waits.set()

    other = threading.Thread(target=first)
    other.start()
    begun.wait(5)
    with alone(tmp_path / "machines.lock", second_waits):
        assert heard == ["waits", "another process to be done with machines"]
    other.join()
