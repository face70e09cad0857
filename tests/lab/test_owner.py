from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import environment, owner
from lab.errors import CheckFailed
from lab.waiting import wait_until

HOLD = """
import sys, signal
from pathlib import Path
from lab import environment, owner
environment.STATE = Path(sys.argv[1])
with owner.held(print):
    print("held", flush=True)
    signal.pause()
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(environment, "STATE", tmp_path)
    monkeypatch.delenv(owner.NAME, raising=False)
    return tmp_path


@contextmanager
def another(state: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lab."""
    words = [sys.executable, "-c", HOLD, str(state)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_free_lab_is_held_and_free_again_afterwards(state: Path) -> None:
    with owner.held(pytest.fail):
        assert os.environ[owner.NAME] == str(os.getpid())
    assert owner.NAME not in os.environ
    with owner.held(pytest.fail):
        pass


def test_another_is_told_who_holds_it(state: Path) -> None:
    with (
        another(state) as process,
        pytest.raises(CheckFailed, match="held by another") as caught,
        owner.held(print),
    ):
        pass
    assert str(process.pid) in str(caught.value) and "--wait" in str(caught.value)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_hold_of_a_dead_owner_is_gone(how: signal.Signals, state: Path) -> None:
    with another(state) as process:
        process.send_signal(how)
        process.wait(10)
        with owner.held(pytest.fail):
            pass


def test_who_waits_says_for_whom_and_goes_on_when_it_ends(state: Path) -> None:
    told: list[str] = []

    def say(line: str) -> None:
        told.append(line)
        process.kill()

    with another(state) as process, owner.held(say, wait=True):
        assert told == [line for line in told if str(process.pid) in line] and len(told) == 1


def test_what_the_owner_runs_is_the_owners(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with another(state) as process:
        monkeypatch.setenv(owner.NAME, str(process.pid))
        with owner.held(pytest.fail):
            assert os.environ[owner.NAME] == str(process.pid)
        assert os.environ[owner.NAME] == str(process.pid)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"other": 1}'])
def test_a_hold_that_is_just_being_written_is_a_hold(text: str, state: Path) -> None:
    with another(state):
        owner.file().write_text(text)
        with pytest.raises(CheckFailed, match="just begun"), owner.held(print):
            pass


def test_what_does_not_hold_is_refused_all_the_same(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner.refuse_held()
    with another(state) as process:
        with pytest.raises(CheckFailed, match="held by another"):
            owner.refuse_held()
        monkeypatch.setenv(owner.NAME, str(process.pid))
        owner.refuse_held()
    owner.refuse_held()


def test_a_child_that_outlives_its_owner_holds_nothing(state: Path) -> None:
    with owner.held(pytest.fail):
        child = subprocess.Popen(["sleep", "60"])
    try:
        wait_until(lambda: child.poll() is None, 5, "the child")
        with owner.held(pytest.fail):
            pass
    finally:
        child.kill()
        child.wait()
