"""Odd arguments: each ends in a documented exit code, in words, before anything is touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evidence import runs
from lab import config, engine, environment, machines, network
from lab.errors import HostError

ODD = (
    "",
    " ",
    "..",
    "/",
    "-1",
    "nan",
    "\x1b[2J",
    "a\nb",
    "\udcff",
    "x" * 5000,
    "$(id)",
    "é",
    "\u202e",
    "--",
    "*",
)
COMMANDS = (
    *("deploy ODD 1.1", "deploy books-service ODD", "logs ODD", "ssh ODD", "exec ODD -- true", "report ODD"),
    *("report --story ODD", "report --story --scenario ODD"),
    *("status --format ODD", "ODD", "fault inject ODD nginx", "fault inject stop nginx --seconds ODD"),
    *("fault heal ODD", "fault inject loss any-node percent=ODD", "fault inject loss any-node ODD"),
    *("step show ODD", "step check ODD", "step solve ODD", "step goto ODD"),
    *("save ODD", "restore ODD", "checkpoint rm ODD", "checkpoints --format ODD"),
    *("soak --seed ODD", "soak --minutes ODD", "--lab-file ODD status"),
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A host without a lab."""

    def absent(*_: object) -> None:
        raise HostError("the lab's network is not on this host", try_next="make lab-up")

    monkeypatch.setattr(environment, "STATE", tmp_path / "state")
    monkeypatch.setattr(runs, "RUNS", tmp_path / "state" / "runs")  # `report --` means the newest run
    monkeypatch.setenv("LAB_FILE", str(config.LAB_FILE))  # which --lab-file overwrites
    monkeypatch.setattr(network, "require_present", absent)
    for room, name in ((machines, "shells"), (engine, "connect")):
        monkeypatch.setattr(room, name, lambda *_, **__: pytest.fail("it reached for the lab"))
    monkeypatch.setattr("os.execvp", lambda *_: pytest.fail("it became another program"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("line", COMMANDS)
def test_an_odd_argument_is_refused_in_words(
    line: str, odd: str, command: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, out, err = command(*(word.replace("ODD", odd) for word in line.split()))
    assert code in (1, 2, 4), (code, err)
    assert "this is an error of the lab's own code" not in err
    assert "\x1b[2J" not in out + err
    assert "Usage:" in err or ("a\nb" not in err and "x" * 400 not in err)  # click's own words are click's
    assert [path.name for path in tmp_path.iterdir() if path.name != "state"] == []
