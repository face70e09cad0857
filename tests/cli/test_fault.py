from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest

from faults import FAULTS, harness
from lab import environment, machines, network
from lab.errors import LabError
from lab.testing import FakeShell, said

ROOT = Path(__file__).parents[2]
Said = tuple[int, str, str]
Lab = Callable[..., Said]
LISTING = {"Names": "registrator", "ID": "ab" * 32, "State": "running", "Ports": ""}


class Node(FakeShell):
    def close(self) -> None:
        return


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("LAB_FILE", str(ROOT / "lab" / "lab.yml"))
    monkeypatch.setattr(environment, "STATE", tmp_path)
    machines.ssh_config().touch()
    return tmp_path / "faults.jsonl"


@pytest.fixture
def lab(journal: Path, command: Lab) -> Lab:
    """Runs `lab fault WORDS...`; answers its exit code, stdout and stderr."""
    return partial(command, "fault")


@pytest.fixture
def shells(monkeypatch: pytest.MonkeyPatch) -> dict[str, Node]:
    """The nodes of a lab that is up, and no way to its host."""
    names = ("swarm-master", "swarm-node-01", "swarm-node-02", "swarm-node-03")
    nodes = {n: Node({"docker ps -a": said(json.dumps(LISTING) + "\n"), "": said()}, node=n) for n in names}
    monkeypatch.setattr(machines, "shells", lambda lab: nodes)
    monkeypatch.setattr(network, "require_present", lambda lab: None)
    monkeypatch.setattr(harness, "way_in", lambda node: "172.17.0.9")
    monkeypatch.setattr(harness, "HostShell", lambda lab: FakeShell({"": said()}, node="host"))
    return nodes


def ran(shells: dict[str, Node]) -> list[str]:
    """Every script but those that only look."""
    return [script for shell in shells.values() for script in shell.scripts if "docker ps -a" not in script]


def test_known_lists_every_fault(lab: Lab) -> None:
    code, out, _ = lab("list", "--known", "--format", "json")
    assert (code, [row["fault"] for row in json.loads(out)]) == (0, list(FAULTS))
    assert lab("list", "--known")[0] == 0


def test_a_fault_is_held_for_its_seconds_and_healed(lab: Lab, shells: dict[str, Node]) -> None:
    code, out, err = lab("inject", "loss", "swarm-node-02", "percent=30", "--seconds", "0.01")
    assert code == 0
    assert err.endswith(f"loss {out.strip()} on swarm-node-02: healed\n")
    assert lab("list", "--format", "json")[1] == "[]\n"
    [told] = json.loads(lab("history", "--format", "json")[1])
    assert (told["id"], told["phase"], told["on"]) == (out.strip(), "healed", ["swarm-node-02"])


def test_detached_it_stays_open_until_another_command_heals_it(lab: Lab, shells: dict[str, Node]) -> None:
    id = lab("inject", "cpu", "any node", "--detach")[1].strip()
    assert id in lab("list")[1]
    assert lab("heal", id)[0] == 0
    assert lab("list", "--format", "json")[1] == "[]\n"


def test_an_interrupt_heals_at_once(
    lab: Lab, shells: dict[str, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(fault: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(harness, "hold", interrupted)
    code, _, err = lab("inject", "cpu", "swarm-node-01", "--seconds", "500")
    assert (code, "healed" in err) == (130, True)


def test_a_dry_run_prints_the_scripts_and_touches_nothing(
    lab: Lab, shells: dict[str, Node], journal: Path
) -> None:
    code, out, _ = lab("inject", "isolate", "the master", "--dry-run")
    assert (code, ran(shells), journal.exists()) == (0, [], False)
    for words in (
        "# isolate on swarm-master, 30 s",
        "# touches: swarm-master (10.100.199.200)",
        "# containers concerned on swarm-master: registrator",
        "# inject, on swarm-master",
        "systemd-run --quiet --collect --unit=lab-fault-",
        "# heal, on swarm-master",
    ):
        assert words in out


def test_a_seed_chooses_the_same_node_again(lab: Lab, shells: dict[str, Node]) -> None:
    def chosen(seed: str) -> str:
        return lab("inject", "cpu", "any node", "--dry-run", "--seed", seed)[1].splitlines()[0]

    first = {seed: chosen(seed) for seed in "abcdefgh"}
    assert {seed: chosen(seed) for seed in first} == first
    assert len(set(first.values())) > 1


BAD: dict[str, tuple[list[str], str]] = {
    "unknown fault": (["inject", "isolat", "the master"], 'no fault "isolat"; did you mean "isolate"?'),
    "unknown target": (["inject", "isolate", "swarm-nod-01"], 'did you mean "swarm-node-01"?'),
    "too much": (["inject", "stop", "registrator"], "matches 4 containers"),
    "negative duration": (["inject", "cpu", "the master", "--seconds", "-3"], "a fault of -3 s"),
    "no duration": (["inject", "cpu", "the master", "--seconds", "0"], "a fault of 0 s"),
    "too long": (["inject", "cpu", "the master", "--seconds", "601"], "at most 600 s"),
    "no number": (["inject", "cpu", "the master", "--seconds", "long"], "'long' is not a valid float"),
    "no setting": (["inject", "loss", "the master", "30"], '"30" is no setting'),
    "unknown setting": (["inject", "loss", "the master", "share=30"], 'no setting "share"'),
    "no target": (["inject", "loss"], "Missing argument 'TARGET'"),
    "unknown id": (["heal", "12345678"], 'no fault "12345678"'),
    "neither id nor all": (["heal"], "one id, or --all"),
    "both": (["heal", "12345678", "--all"], "one id, or --all"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_exits_2_and_leaves_nothing(
    case: str, lab: Lab, shells: dict[str, Node], journal: Path
) -> None:
    words, told = BAD[case]
    code, out, err = lab(*words)
    assert (code, out, ran(shells), journal.exists()) == (2, "", [], False)
    assert told in err


def test_after_lab_down_no_fault_is_open(lab: Lab, shells: dict[str, Node]) -> None:
    lab("inject", "cpu", "swarm-node-01", "--detach")
    machines.ssh_config().unlink()
    assert lab("heal", "--all") == (0, "", "no fault is open\n")


def test_heal_all_of_nothing_needs_no_lab(lab: Lab) -> None:
    assert lab("heal", "--all") == (0, "", "no fault is open\n")


def test_a_heal_that_cannot_be_seen_exits_1(lab: Lab, shells: dict[str, Node]) -> None:
    id = lab("inject", "cpu", "swarm-node-01", "--detach")[1].strip()
    shells["swarm-node-01"].answers = {"": LabError("does not answer over SSH")}
    code, _, err = lab("heal", "--all")
    assert (code, f"not seen healed: {id}" in err) == (1, True)
    assert "unknown" in err


def test_a_journal_cut_in_the_middle_of_a_line_is_told(
    lab: Lab, shells: dict[str, Node], journal: Path
) -> None:
    id = lab("inject", "cpu", "swarm-node-01", "--detach")[1].strip()
    journal.write_text(journal.read_text() + '{"at": 1.0, "kind": "fau')
    code, out, err = lab("list", "--format", "json")
    listed: list[dict[str, Any]] = json.loads(out)
    assert (code, [one["id"] for one in listed]) == (0, [id])
    assert "line 3: cut short" in err


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["percent=30", "percent=40"], 'the setting "percent" is given twice'),
        (["name=x"], '"loss" has no setting "name"'),
        (["a\nb=x"], '"loss" has no setting "a\\nb"'),
        (["percent=a\nb"], 'percent of "loss" is a number, not "a\\nb"'),
    ],
)
def test_settings_that_cannot_be_are_refused(lab: Lab, settings: list[str], said: str) -> None:
    code, _, err = lab("inject", "loss", "any node", *settings)
    assert code == 2 and said in err
