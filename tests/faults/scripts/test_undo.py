"""What a fault left is undone by its own undo, and its timer is ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from faults.fault import HOME
from faults.leftovers import LEFTOVERS


def undo(played: Any, home: Path) -> int:
    played.program("systemctl")
    code: int = played.run(
        LEFTOVERS.mend, places={HOME: str(home), "/bin/bash": str(played.bin / "bash")}
    ).returncode
    return code


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "faults"
    path.mkdir()
    return path


def left(home: Path, id: str, lines: str) -> None:
    (home / id).mkdir()
    (home / id / "undo").write_text(lines)


def test_each_is_undone_in_order_and_its_timer_ends(played: Any, home: Path) -> None:
    for id in ("0a0a-last", "0a0a"):
        left(home, id, f"echo {id} >>{home}.done")
    assert undo(played, home) == 0
    assert Path(f"{home}.done").read_text().split() == ["0a0a", "0a0a-last"]
    assert played.calls("stop") == [
        f"systemctl stop lab-fault-{id}.timer lab-fault-{id}.service" for id in ("0a0a", "0a0a-last")
    ]


def test_one_that_cannot_be_undone_keeps_its_timer(played: Any, home: Path) -> None:
    left(home, "0a0a", "exit 1")
    assert undo(played, home) == 1
    assert played.calls("systemctl") == []


def test_where_nothing_is_left_nothing_is_done(played: Any, home: Path) -> None:
    assert undo(played, home) == 0
    assert undo(played, home / "none") == 0
    assert played.calls() == []
