"""`lab doctor` as a user types it: what it prints, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import faults
from lab import engine, environment, network
from lab.model import Lab
from provisioning import build, doctor
from provisioning.doctor.facts import Check

Said = tuple[int, str, str]
OK = Check("system", "ok", "debian 12")
NOTE = Check("vagrant", "note", "Vagrant 2.3.4 beside [an] engine from 25 on: " + "worked around, " * 8)
BLOCKER = Check("engine", "blocker", "no Docker engine answers", "lab/host.sh")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Says what the checks find."""
    monkeypatch.setattr(environment, "STATE", tmp_path)

    def find(checks: Sequence[Check]) -> None:
        monkeypatch.setattr(doctor, "examine", lambda lab: list(checks))

    return find


def test_a_host_with_notes_only_exits_0(command: Callable[..., Said], found: Callable[..., None]) -> None:
    found([OK, NOTE])
    code, out, err = command("doctor")
    assert (code, err) == (0, "")
    assert out.startswith("ok    system   debian 12")
    assert "[an] engine" in out


def test_a_blocker_exits_4_below_the_whole_list(
    command: Callable[..., Said], found: Callable[..., None]
) -> None:
    found([OK, BLOCKER])
    code, out, err = command("doctor")
    assert (code, "-> lab/host.sh" in out, "system" in out) == (4, True, True)
    assert err == "this host cannot run the lab as it is: engine\n  try next:  lab/host.sh\n"


def test_the_list_fits_a_terminal_of_80_columns(
    command: Callable[..., Said], found: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    found([OK, NOTE, BLOCKER])
    assert max(len(line) for line in command("doctor")[1].splitlines()) <= 80


def test_json_is_all_of_stdout(command: Callable[..., Said], found: Callable[..., None]) -> None:
    found([OK, BLOCKER])
    code, out, _ = command("doctor", "--format", "json")
    assert (code, [check["state"] for check in json.loads(out)["checks"]]) == (4, ["ok", "blocker"])
    assert json.loads(out)["checks"][1]["mend"] == "lab/host.sh"


def test_a_bring_up_asks_first_and_makes_nothing_on_a_host_that_cannot(
    command: Callable[..., Said], found: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(lab: Lab) -> None:
        raise doctor.refusal([BLOCKER, NOTE])

    monkeypatch.setattr(doctor, "refuse", refuse)
    monkeypatch.setattr(faults, "heal_overdue", lambda lab, say: None)
    for module, name in (
        (network, "refuse_clash"),
        (build, "make"),
        (engine, "connect"),
        (engine, "remember"),
    ):
        monkeypatch.setattr(module, name, lambda *words: pytest.fail("it went on"))
    code, out, err = command("up")
    assert (code, out) == (4, "")
    assert "engine: no Docker engine answers\n               mend: lab/host.sh\n" in err


def test_it_only_looks_so_overdue_faults_stay(
    command: Callable[..., Said], found: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    found([OK])
    monkeypatch.setattr(faults, "heal_overdue", lambda lab, say: pytest.fail("it healed something"))
    assert command("doctor")[0] == 0
