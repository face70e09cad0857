from __future__ import annotations

import dataclasses
import json
import random
import time
from pathlib import Path

import pytest

import faults
from deployments import baseline
from evidence import journal
from faults import Injected, heal_overdue, history, made, open_faults
from faults import harness as harness_module
from faults.harness import GRACE, Harness
from lab import environment, machines
from lab.errors import CheckFailed, ConfigError, LabError
from lab.model import Lab
from lab.testing import FakeShell, said

BROKEN_SSH = LabError("does not answer over SSH", last_seen="timed out")


def phases(harness: Harness) -> list[str]:
    return [str(entry.facts()["phase"]) for entry in harness.entries()]


def scripts(shells: dict[str, FakeShell], pattern: str) -> list[str]:
    return [node for node, shell in shells.items() if shell.ran(pattern)]


# --- in order -----------------------------------------------------------------------------------------------


def test_a_fault_is_in_the_journal_before_anything_is_broken(
    harness: Harness, shells: dict[str, FakeShell]
) -> None:
    seen: list[list[str]] = []
    node = shells["swarm-node-01"]
    run = node.run

    def noting(script: str, **options: object) -> object:
        if "docker kill -s KILL" in script:
            seen.append(phases(harness))
        return run(script, **options)  # type: ignore[arg-type]

    node.run = noting  # type: ignore[method-assign,assignment]
    harness.inject(made("kill"), "the live color", 10)
    assert seen == [["inject"]]
    assert phases(harness) == ["inject", "injected"]


def test_the_first_entry_has_all_that_another_process_needs(
    harness: Harness, shells: dict[str, FakeShell]
) -> None:
    begun = time.time()
    injected = harness.inject(made("loss", percent="30"), "swarm-node-02", 10)
    first = harness.entries()[0].facts()
    assert (first["name"], first["target"], first["on"]) == ("loss", "swarm-node-02", ("swarm-node-02",))
    assert (first["settings"], first["seconds"]) == ({"percent": 30}, 10)
    assert begun + 10 + GRACE <= first["deadline"] <= time.time() + 10 + GRACE
    assert injected.undo[0].place == "swarm-node-02"
    assert f"LAB-{injected.id}" in injected.undo[0].heal


def test_heal_looks_again_and_disarms_last(harness: Harness, shells: dict[str, FakeShell]) -> None:
    injected = harness.inject(made("isolate"), "swarm-node-02", 10)
    healed = harness.heal(injected.id)
    script = shells["swarm-node-02"].scripts[-1]
    undo, look, disarm = (script.index(text) for text in ("iptables-restore", "|| exit 1", "systemctl stop"))
    assert undo < look < disarm
    assert (healed.phase, phases(harness)[-2:]) == ("healed", ["heal", "healed"])


def test_healing_twice_does_it_once(harness: Harness, shells: dict[str, FakeShell]) -> None:
    injected = harness.inject(made("isolate"), "swarm-node-02", 10)
    harness.heal(injected.id)
    count = len(shells["swarm-node-02"].scripts)
    assert harness.heal(injected.id).phase == "healed"
    assert len(shells["swarm-node-02"].scripts) == count


def test_heal_all_takes_the_newest_first(harness: Harness) -> None:
    first = harness.inject(made("cpu"), "swarm-node-01", 10)
    second = harness.inject(made("cpu"), "swarm-node-02", 10)
    assert [one.id for one in harness.heal_all()] == [second.id, first.id]
    assert harness.open() == []


def test_a_power_cut_is_undone_on_the_host_and_then_on_the_node(
    harness: Harness, shells: dict[str, FakeShell], host: FakeShell
) -> None:
    injected = harness.inject(made("power-cut"), "the node of the live color", 10)
    assert not shells["swarm-node-01"].ran("systemd-run")
    harness.heal(injected.id)
    assert [bool(host.ran(words)) for words in ("docker kill", "docker start", "rm -rf")] == [
        True,
        True,
        False,
    ]
    assert "back " + "b1" * 32 in shells["swarm-node-01"].scripts[-1]


# --- refusals: nothing is touched --------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0, -1, 600.1, float("nan"), float("inf")])
def test_a_duration_out_of_bounds_is_refused(
    seconds: float, harness: Harness, shells: dict[str, FakeShell]
) -> None:
    with pytest.raises(ConfigError, match="more than 0, at most 600 s"):
        harness.inject(made("kill"), "the live color", seconds)
    assert (harness.entries(), scripts(shells, ".")) == ([], [])


def test_a_fault_on_a_dead_node_is_refused(harness: Harness, shells: dict[str, FakeShell]) -> None:
    shells["swarm-node-02"].answers = {"": BROKEN_SSH}
    with pytest.raises(CheckFailed, match="no fault on swarm-node-02: it does not answer"):
        harness.inject(made("isolate"), "swarm-node-02", 10)
    assert harness.entries() == []


def test_two_faults_on_the_same_target_are_refused(harness: Harness, shells: dict[str, FakeShell]) -> None:
    first = harness.inject(made("pause"), "the live color", 10)
    with pytest.raises(CheckFailed) as error:
        harness.inject(made("kill"), "booksservice_blue_1", 10)
    assert f'"pause" ({first.id}) is open on booksservice_blue_1 on swarm-node-01' in str(error.value)
    assert f"lab fault heal {first.id}" in str(error.value)
    assert scripts(shells, "docker kill -s KILL") == []


def test_a_healed_target_can_be_broken_again(harness: Harness) -> None:
    harness.heal(harness.inject(made("pause"), "the live color", 10).id)
    assert harness.inject(made("kill"), "the live color", 10).phase == "injected"


def test_a_container_and_another_node_can_be_broken_at_once(harness: Harness) -> None:
    harness.inject(made("kill"), "the live color", 10)
    assert harness.inject(made("loss"), "swarm-node-03", 10).phase == "injected"


def test_ssh_over_the_labs_own_network_is_refused(
    lab: Lab, shells: dict[str, FakeShell], host: FakeShell, tmp_path: Path
) -> None:
    inside = Harness(lab, shells, tmp_path / "faults.jsonl", host=host, way=lambda node: "10.100.199.202")
    with pytest.raises(CheckFailed, match="SSH comes over the lab's network"):
        inside.inject(made("isolate"), "swarm-node-02", 10)
    assert inside.entries() == []


def test_ssh_that_is_not_open_is_refused(
    lab: Lab, shells: dict[str, FakeShell], host: FakeShell, tmp_path: Path
) -> None:
    def closed(node: str) -> str:
        raise BROKEN_SSH

    cut = Harness(lab, shells, tmp_path / "faults.jsonl", host=host, way=closed)
    with pytest.raises(LabError, match="does not answer over SSH"):
        cut.inject(made("isolate"), "swarm-node-02", 10)
    assert cut.entries() == []


# --- what goes wrong ----------------------------------------------------------------------------------------


def test_an_injection_that_fails_is_undone_at_once(harness: Harness, shells: dict[str, FakeShell]) -> None:
    refusal = said(exit=75, stderr="a qdisc of someone else is on eth1: qdisc htb 1:")
    shells["swarm-node-02"].answers = {"tc qdisc add": refusal, **shells["swarm-node-02"].answers}
    with pytest.raises(LabError, match="a qdisc of someone else"):
        harness.inject(made("rate"), "swarm-node-02", 10)
    assert phases(harness) == ["inject", "heal", "healed"]
    assert "someone else" in harness.entries()[-1].facts()["detail"]


def test_a_partition_that_one_node_refuses_is_undone_on_all(
    harness: Harness, shells: dict[str, FakeShell]
) -> None:
    shells["swarm-node-03"].answers = {
        "iptables-restore .*<<RULES": said(exit=4),
        **shells["swarm-node-03"].answers,
    }
    with pytest.raises(LabError):
        harness.inject(made("partition"), "the master | swarm-node-03", 10)
    assert scripts(shells, r"(?s)^\(.*LAB-.*systemctl stop lab-fault") == ["swarm-master", "swarm-node-03"]
    assert harness.open() == []


def test_an_interrupt_in_the_middle_is_undone(harness: Harness, shells: dict[str, FakeShell]) -> None:
    def interrupted(script: str, **options: object) -> object:
        raise KeyboardInterrupt

    node = shells["swarm-node-01"]
    run = node.run
    node.run = lambda script, **options: (  # type: ignore[method-assign]
        interrupted(script) if "docker kill -s KILL" in script else run(script, **options)
    )
    with pytest.raises(KeyboardInterrupt):
        harness.inject(made("kill"), "the live color", 10)
    assert phases(harness) == ["inject", "heal", "healed"]


def test_a_node_that_does_not_answer_is_unknown_and_never_healed(
    harness: Harness, shells: dict[str, FakeShell]
) -> None:
    injected = harness.inject(made("isolate"), "swarm-node-02", 10)
    shells["swarm-node-02"].answers = {"": BROKEN_SSH}
    healed = harness.heal(injected.id)
    assert (healed.phase, healed.is_open) == ("unknown", True)
    assert "swarm-node-02: does not answer over SSH" in healed.detail


def test_what_is_left_after_an_undo_is_failed(harness: Harness, shells: dict[str, FakeShell]) -> None:
    injected = harness.inject(made("isolate"), "swarm-node-02", 10)
    shells["swarm-node-02"].answers = {"": said("-A PREROUTING -j LAB", exit=1)}
    healed = harness.heal(injected.id)
    assert (healed.phase, healed.is_open) == ("failed", True)
    assert "exit 1: -A PREROUTING -j LAB" in healed.detail


def test_failed_outweighs_unknown(harness: Harness, shells: dict[str, FakeShell]) -> None:
    injected = harness.inject(made("partition"), "swarm-node-01 | swarm-node-02", 10)
    shells["swarm-node-01"].answers = {"": BROKEN_SSH}
    shells["swarm-node-02"].answers = {"": said(exit=1)}
    assert harness.heal(injected.id).phase == "failed"


def test_a_machine_that_is_gone_has_nothing_left(
    harness: Harness, shells: dict[str, FakeShell], host: FakeShell
) -> None:
    injected = harness.inject(made("isolate"), "swarm-node-02", 10)
    shells["swarm-node-02"].answers = {"": BROKEN_SSH}
    host.answers = {"docker inspect": said("Error: No such object: x", exit=1)}
    healed = harness.heal(injected.id)
    assert (healed.phase, healed.detail) == ("healed", "")


def test_a_machine_of_libvirt_that_is_gone_has_nothing_left(
    harness: Harness, shells: dict[str, FakeShell], host: FakeShell
) -> None:
    injected = harness.inject(made("isolate"), "swarm-node-02", 10)
    harness.lab = dataclasses.replace(harness.lab, provider="libvirt")
    shells["swarm-node-02"].answers = {"": BROKEN_SSH}
    seen = "error: failed to get domain 'bluegreen-lab-swarm-node-02'"
    host.answers = {"desc bluegreen-lab-swarm-node-02": said(seen, exit=1)}
    assert harness.heal(injected.id).phase == "healed"


def test_an_unknown_id_names_the_nearest(harness: Harness) -> None:
    injected = harness.inject(made("cpu"), "swarm-node-02", 10)
    near = injected.id[:-1] + ("0" if injected.id[-1] != "0" else "1")
    with pytest.raises(ConfigError, match=f'did you mean "{injected.id}"'):
        harness.heal(near)


# --- a new process ------------------------------------------------------------------------------------------


def again(harness: Harness, lab: Lab, shells: dict[str, FakeShell], host: FakeShell) -> Harness:
    """The harness of another process with the same journal."""
    return Harness(lab, shells, harness.path, host=host, way=lambda node: "172.17.0.9")


def test_a_new_process_heals_from_the_journal_alone(
    harness: Harness, lab: Lab, shells: dict[str, FakeShell], host: FakeShell
) -> None:
    injected = harness.inject(made("isolate"), "swarm-node-02", 10)
    [healed] = again(harness, lab, shells, host).heal_all()
    assert (healed.id, healed.phase) == (injected.id, "healed")


def test_a_fault_that_was_only_written_ahead_is_healed_as_well(
    harness: Harness, lab: Lab, shells: dict[str, FakeShell], host: FakeShell
) -> None:
    injected = harness.inject(made("isolate"), "swarm-node-02", 10)
    first = harness.path.read_text().splitlines()[0]
    harness.path.write_text(first + "\n")
    assert [one.id for one in again(harness, lab, shells, host).heal_all()] == [injected.id]


def test_a_line_cut_in_the_middle_loses_only_itself(
    harness: Harness, lab: Lab, shells: dict[str, FakeShell], host: FakeShell
) -> None:
    first = harness.inject(made("isolate"), "swarm-node-02", 10)
    whole = harness.path.read_text()
    harness.path.write_text(whole + whole.splitlines()[0][:80])  # a second fault, cut while it was written
    warned: list[str] = []
    other = again(harness, lab, shells, host)
    assert [fault.id for fault in open_faults(other.entries(warned.append))] == [first.id]
    assert "cut short" in warned[0]
    assert [one.phase for one in other.heal_all()] == ["healed"]
    assert [fault.id for fault in history.faults(other.entries())] == [first.id]


def test_a_phase_of_a_fault_whose_beginning_is_lost_is_passed_over(harness: Harness) -> None:
    injected = harness.inject(made("cpu"), "swarm-node-02", 10)
    harness.path.write_text("".join(harness.path.read_text().splitlines(keepends=True)[1:]))
    assert open_faults(harness.entries()) == []
    with pytest.raises(ConfigError, match="none so far"):
        harness.heal(injected.id)


# --- overdue ------------------------------------------------------------------------------------------------


@pytest.fixture
def state(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> Path:
    ssh_config = harness.path.parent / "ssh_config"
    ssh_config.write_text("")
    monkeypatch.setattr(environment, "STATE", harness.path.parent)
    return harness.path


def make_overdue(path: Path) -> None:
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    entries[0]["deadline"] = time.time() - 1
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def test_the_next_command_heals_what_is_overdue(
    harness: Harness, lab: Lab, shells: dict[str, FakeShell], state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    injected = harness.inject(made("isolate"), "swarm-node-02", 10)
    make_overdue(state)
    monkeypatch.setattr(machines, "shells", lambda lab: shells)
    told: list[str] = []
    heal_overdue(lab, told.append)
    assert told == [f"fault {injected.id} (isolate on swarm-node-02) was overdue: healed overdue"]
    assert open_faults(journal.read(state)) == []


def test_a_fault_within_its_time_is_left_alone(
    harness: Harness, lab: Lab, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.inject(made("isolate"), "swarm-node-02", 10)
    monkeypatch.setattr(machines, "shells", lambda lab: pytest.fail("it reached for the nodes"))
    heal_overdue(lab, pytest.fail)


def test_nothing_overdue_costs_no_look_at_the_lab(
    lab: Lab, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machines, "shells", lambda lab: pytest.fail("it reached for the nodes"))
    heal_overdue(lab, pytest.fail)


def test_when_the_lab_was_taken_down_nothing_of_its_faults_is_left(
    harness: Harness, lab: Lab, state: Path
) -> None:
    injected = harness.inject(made("isolate"), "swarm-node-02", 10)
    machines.ssh_config().unlink()
    heal_overdue(lab, pytest.fail)
    [told] = history.faults(journal.read(state))
    assert (told.id, told.phase, told.detail) == (injected.id, "healed", "the lab was taken down")


def test_a_lab_that_does_not_answer_stops_no_command(
    harness: Harness, lab: Lab, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.inject(made("isolate"), "swarm-node-02", 10)
    make_overdue(state)

    def down(lab: Lab) -> dict[str, FakeShell]:
        raise LabError("nobody is there")

    monkeypatch.setattr(machines, "shells", down)
    told: list[str] = []
    heal_overdue(lab, told.append)
    assert "1 faults are overdue and could not be healed: nobody is there" in told[0]


def test_a_reset_heals_what_a_dead_command_left_and_then_brings_the_baseline(
    harness: Harness, shells: dict[str, FakeShell], state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    injected = harness.inject(made("isolate"), "swarm-node-02", 10)
    begun_with: list[list[Injected]] = []
    monkeypatch.setattr(baseline, "reset", lambda *_: begun_with.append(open_faults(journal.read(state))))
    told: list[str] = []
    faults.reset(harness.lab, shells, told.append)
    assert begun_with == [[]]
    assert told == [f"fault {injected.id} (isolate) was open: healed"]


STRANGE = {
    "another shape": '{"at": 1, "kind": "fault", "id": "f", "phase": "inject", "undo": [{"place": "host"}]}',
    "a node of another lab": json.dumps(
        {"at": 1, "kind": "fault", "id": "f", "phase": "inject", "name": "loss", "deadline": 2}
        | {"undo": [{"place": "boss", "heal": "", "healed": "", "timed": True, "last": False}]}
    ),
    "a word": '"fault"',
    "no JSON": "}{",
    "brackets": "[" * 100_000,
}


@pytest.mark.parametrize("case", STRANGE)
def test_a_strange_record_stops_no_command_and_is_told(
    case: str,
    shells: dict[str, FakeShell],
    harness: Harness,
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    injected = harness.inject(made("isolate"), "swarm-node-02", 10)
    make_overdue(state)
    state.write_text(STRANGE[case] + "\n" + state.read_text())
    monkeypatch.setattr(machines, "shells", lambda lab: shells)
    told: list[str] = []
    heal_overdue(harness.lab, told.append)
    assert told[-1] == f"fault {injected.id} (isolate on swarm-node-02) was overdue: healed overdue"
    assert "line 1" in told[0] or 'no node "boss"' in told[0], told
    assert STRANGE[case] in state.read_text()


def test_a_journal_that_cannot_be_read_stops_no_command(
    lab: Lab, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "of_faults", lambda: tmp_path)
    told: list[str] = []
    heal_overdue(lab, told.append)
    assert len(told) == 1 and "cannot be told" in told[0]


def test_an_id_can_be_the_number_of_a_qdisc() -> None:
    numbers = {int(harness_module.new_id()[:4], 16) for _ in range(300)}
    assert min(numbers) > 0
    assert max(numbers) < 0xFFFF


def test_a_seed_repeats_what_was_chosen(lab: Lab, shells: dict[str, FakeShell], tmp_path: Path) -> None:
    def chosen(seed: str) -> list[tuple[str, ...]]:
        harness = Harness(lab, shells, tmp_path / "x.jsonl", chance=random.Random(seed))
        return [harness.plan(made("cpu"), "any node").found.nodes for _ in range(6)]

    assert chosen("a") == chosen("a") != chosen("b")
