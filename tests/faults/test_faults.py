"""What holds for every fault, whatever it breaks."""

from __future__ import annotations

import dataclasses
import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faults import FAULTS, Fault, made
from faults.fault import Site
from faults.harness import Harness, Plan, plan
from faults.kinds.shaping import handle, no_qdisc, remove_qdisc
from faults.targets import Snapshot
from faults.timer import undone
from lab.errors import CheckFailed, ConfigError
from lab.model import MARK, Access, Lab, Power
from lab.shell import Result
from lab.testing import FakeShell
from scenarios.steps.faults import fault_of, phrase

DOCS = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()
TARGETS = {
    "partition": "the master | all but the master",
    "one-way": "swarm-node-01 -> the master",
    "ring": "every node",
    "registrator-stop": "swarm-node-01",
}
ANYWHERE = {"a container": "the live color", "nodes": "the master", "a container or nodes": "the database"}
POSSIBLE = [name for name in FAULTS if name != "clock"]  # refused on container nodes


def target(name: str) -> str:
    return TARGETS.get(name, ANYWHERE[FAULTS[name].takes])


def planned(name: str, lab: Lab, snapshot: Snapshot) -> Plan:
    return plan(lab, snapshot, made(name), target(name), 30, chance=random.Random(1))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_its_section_in_the_docs(name: str) -> None:
    assert re.search(rf"^### {re.escape(name)}$", DOCS, re.MULTILINE)


def test_the_docs_tell_of_no_fault_that_is_not_there() -> None:
    assert set(re.findall(r"^### (.+)$", DOCS, re.MULTILINE)) == set(FAULTS)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_a_frozen_record_that_says_what_it_does(name: str) -> None:
    fault = made(name)
    assert dataclasses.is_dataclass(fault)
    assert (FAULTS[name].__doc__ or "").strip().endswith(".")
    with pytest.raises(dataclasses.FrozenInstanceError):
        fault.anything = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", POSSIBLE)
def test_every_script_is_shell(name: str, lab: Lab, snapshot: Snapshot) -> None:
    made_plan = planned(name, lab, snapshot)
    for action in made_plan.actions:
        for script in (made_plan.script(action), undone(made_plan.id, action)):
            done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
            assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", POSSIBLE)
def test_the_timer_is_armed_before_the_fault(name: str, lab: Lab, snapshot: Snapshot) -> None:
    made_plan = planned(name, lab, snapshot)
    for action in (action for action in made_plan.actions if action.inject and action.place is not None):
        script = made_plan.script(action)
        guard, timer, fault = (
            script.index("/etc/lab/name"),
            script.index(f"--unit=lab-fault-{made_plan.id} --on-active=35"),
            script.rindex(action.inject),
        )
        assert guard < timer < fault


WAITS = r"-m (\S+) http|timeout ([0-9.]+) |iptables\S* -w (\S+)|\$1 \* ([0-9]+) / 100"


@pytest.mark.parametrize("name", POSSIBLE)
def test_on_a_slow_host_a_fault_lasts_as_long_and_is_given_more_time_to_be_undone(
    name: str, lab: Lab, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waits() -> list[float]:
        made_plan = planned(name, lab, snapshot)
        scripts = [text for action in made_plan.actions for text in (action.heal, action.healed)]
        return [float(next(filter(None, found))) for text in scripts for found in re.findall(WAITS, text)]

    def timers() -> set[float]:
        made_plan = planned(name, lab, snapshot)
        scripts = [made_plan.script(action) for action in made_plan.actions]
        return {float(after) for text in scripts for after in re.findall(r"--on-active=(\S+)", text)}

    once, ends = waits(), timers()
    monkeypatch.setenv("LAB_PATIENCE", "3")
    assert waits() == [3 * wait for wait in once]
    assert timers() == {30 + 3 * (end - 30) for end in ends}


@pytest.mark.parametrize("name", POSSIBLE)
def test_an_undo_carries_the_id_or_names_its_containers(name: str, lab: Lab, snapshot: Snapshot) -> None:
    made_plan = planned(name, lab, snapshot)
    for action in made_plan.actions:
        script = undone(made_plan.id, action)
        assert made_plan.id in script or action.place is None
        assert not re.search(
            r"iptables .*-F(?! LAB)|iptables -X|docker rm|docker (un)?pause \$\(|killall|pkill", script
        )


@pytest.mark.parametrize("name", [name for name in POSSIBLE if FAULTS[name].by_network])
def test_the_network_is_touched_on_the_lab_interface_only(name: str, lab: Lab, snapshot: Snapshot) -> None:
    for action in planned(name, lab, snapshot).actions:
        assert "ip -o -4 addr show to 10.100.199." in action.inject
        hooks = re.findall(r"^-I (\w+) 1 (.*?) -m comment", action.inject, re.MULTILINE)
        assert all(match in ("-i $dev", "-o $dev") for _, match in hooks)
        assert all("dev $dev" in line for line in re.findall(r"tc qdisc add.*", action.inject))


@pytest.mark.parametrize("name", FAULTS)
def test_a_phrase_belongs_to_one_fault(name: str) -> None:
    settings = {"MS": "200", "N": "3"}
    words = re.sub(r"\(\?:([^()|?]*?)(\|[^()]*)?\)(?!\?)", r"\1", FAULTS[name].phrase)
    words = re.sub(r"\(\?:.*\)\?", "", words)
    words = re.sub(r"\(\?P<\w+>[^)]*\)", settings["N"], words).replace("s?", "s")
    text = f"the node of the database {words} for up to 20 seconds"
    owners = [other for other, kind in FAULTS.items() if re.fullmatch(phrase(kind), text)]
    assert owners == [name], text


PHRASES = {
    "the live color is killed for 5 seconds": made("kill"),
    "nginx is killed with SIGTERM for up to 5 seconds": made("kill", signal="TERM"),
    "a minority loses 30 % of its packets for 10 seconds": made("loss", percent="30"),
    "a minority loses of its packets for 10 seconds": made("loss"),
    "the database is 300 ms late for 10 seconds": made("delay", ms="300"),
    "the master has its port 8500 blocked for 10 seconds": made("port-block", port="8500"),
    "the database has its port blocked for 10 seconds": made("port-block"),
    "any node has its clock -60 seconds ahead for 10 seconds": made("clock", by="-60"),
    "the master burns 2 processors for 10 seconds": made("cpu", workers="2"),
    "the live color runs out of memory for 10 seconds": made("out-of-memory"),
    "the master | all but the master are partitioned for 10 seconds": made("partition"),
}


@pytest.mark.parametrize("text", PHRASES)
def test_a_phrase_means_a_fault_with_its_settings(text: str) -> None:
    found = [(kind, re.fullmatch(phrase(kind), text)) for kind in FAULTS.values()]
    [(kind, match)] = [(kind, match) for kind, match in found if match]
    assert match is not None
    assert fault_of(kind, match["what"]) == PHRASES[text]


BAD: dict[str, tuple[str, dict[str, str], str]] = {
    "unknown fault": ("kil", {}, 'no fault "kil"; did you mean "kill"?'),
    "unknown setting": ("loss", {"percentage": "3"}, 'no setting "percentage"; did you mean "percent"?'),
    "setting of a fault without any": ("stop", {"hard": "1"}, "its settings: none"),
    "no number": ("loss", {"percent": "many"}, 'percent of "loss" is a number, not "many"'),
    "too much": ("loss", {"percent": "101"}, "loss of 101 %"),
    "negative": ("disk", {"mb": "-5"}, "disk of -5 MiB"),
    "no such signal": ("kill", {"signal": "NOPE"}, "no signal 'NOPE'"),
    "no such port": ("port-block", {"port": "70000"}, "port of 70000"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_fault_that_makes_no_sense_is_refused(case: str) -> None:
    name, settings, said = BAD[case]
    with pytest.raises(ConfigError) as error:
        made(name, **settings)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("name", "target", "said"),
    [
        ("stop", "the master", 'takes a container; "the master" is nodes'),
        ("isolate", "the live color", 'takes nodes; "the live color" is a container'),
        ("partition", "the master", '"the master" is one group'),
        ("partition", "the master | the live color", '"the live color" is a container'),
        ("partition", "the master | every node", "swarm-master is in"),
        ("one-way", "the master", "has no two sides"),
        ("bridge", "every node", "a bridge is one"),
        ("ring", "all but the master", "a ring of 3 nodes cuts nothing"),
    ],
)
def test_a_target_of_the_wrong_kind_is_refused(
    name: str, target: str, said: str, lab: Lab, snapshot: Snapshot
) -> None:
    with pytest.raises(ConfigError) as error:
        plan(lab, snapshot, made(name), target, 30, chance=random.Random(1))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("name", "target", "said"),
    [
        ("clock", "swarm-node-01", "it would be the host's"),
        ("kill", "the idle color", "booksservice_green_1 is exited"),
        ("port-block", "swarm-node-01", "swarm-node-01 publishes no port"),
        ("delay", "registrator on swarm-node-01", "registrator publishes no port"),
        ("registrator-stop", "the master", "no Registrator runs on swarm-master"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(
    name: str, target: str, said: str, lab: Lab, snapshot: Snapshot
) -> None:
    with pytest.raises(CheckFailed) as error:
        plan(lab, snapshot, made(name), target, 30, chance=random.Random(1))
    assert said in str(error.value)


@pytest.mark.parametrize("provider", ["libvirt", "virtualbox"])
def test_virtual_machines_have_a_clock_of_their_own(provider: str, lab: Lab, snapshot: Snapshot) -> None:
    other = dataclasses.replace(lab, provider=provider)
    clock = plan(other, snapshot, made("clock"), "swarm-node-01", 30, chance=random.Random(1))
    assert 'date -s "60 seconds"' in clock.actions[0].inject


def test_a_busy_node_that_is_not_frozen_at_once_is_frozen_in_a_while(
    lab: Lab, snapshot: Snapshot, played: Any
) -> None:
    host, *_ = plan(lab, snapshot, made("freeze"), "swarm-node-01", 30, chance=random.Random(1)).actions
    tries = "echo >>$state/tries; [ $(wc -l <$state/tries) -gt 2 ] || { echo unable to freeze >&2; exit 1; }"
    played.by_words("docker", {"pause bluegreen-lab-swarm-node-01": tries}, otherwise=f"echo {lab.name}")
    assert played.run(host.inject).returncode == 0
    assert len(played.calls("docker pause")) == 3


def test_vagrant_freezes_nothing(lab: Lab, snapshot: Snapshot) -> None:
    other = dataclasses.replace(lab, provider="virtualbox")
    with pytest.raises(CheckFailed, match="Vagrant cannot freeze a node of virtualbox"):
        plan(other, snapshot, made("freeze"), "swarm-node-01", 30, chance=random.Random(1))


@pytest.mark.parametrize("name", ["power-cut", "halt", "reboot"])
def test_the_power_of_virtualbox_is_vagrants(name: str, lab: Lab, snapshot: Snapshot) -> None:
    other = dataclasses.replace(lab, provider="virtualbox")
    host, *_ = plan(other, snapshot, made(name), "swarm-node-01", 30, chance=random.Random(1)).actions
    assert host.inject.startswith("vagrant ")
    assert host.heal == "vagrant up swarm-node-01"


@pytest.mark.parametrize(
    ("name", "act"),
    [("power-cut", "destroy"), ("freeze", "suspend"), ("halt", "shutdown"), ("reboot", "start")],
)
def test_the_power_of_libvirts_machines_is_taken_by_virsh(
    name: str, act: str, lab: Lab, snapshot: Snapshot
) -> None:
    other = dataclasses.replace(lab, provider="libvirt")
    host, *_ = plan(other, snapshot, made(name), "swarm-node-01", 30, chance=random.Random(1)).actions
    assert f"virsh -q -c qemu:///system {act} bluegreen-lab-swarm-node-01" in host.inject or (
        f'virsh -q -c "$uri" {act} "$domain"' in host.inject
    )
    assert all(f'"{MARK}=bluegreen-lab "*) ;;' in script for script in (host.inject, host.heal, host.healed))
    assert not re.search(r"\b(vagrant|docker) (halt|up|start|kill)", host.inject + host.heal + host.healed)


def own(lab: Lab, power: Power | None) -> Lab:
    nodes = tuple(dataclasses.replace(node, ssh=Access(node.name), power=power) for node in lab.nodes)
    return dataclasses.replace(lab, provider="ssh", nodes=nodes)


def test_a_machine_of_ones_own_loses_power_by_the_command_of_the_file(lab: Lab, snapshot: Snapshot) -> None:
    mine = own(lab, Power(off="pdu off 7", on="pdu on 7"))
    host, *_ = plan(mine, snapshot, made("power-cut"), "swarm-node-01", 30, chance=random.Random(1)).actions
    assert (host.place, host.inject) == (None, "pdu off 7")
    assert "(pdu on 7) || true" in host.heal and "wait_for" in host.heal
    assert "docker" not in host.heal + host.healed and "vagrant" not in host.heal + host.healed


@pytest.mark.parametrize("name", ["halt", "reboot", "freeze"])
def test_nothing_else_is_done_to_the_power_of_a_machine_of_ones_own(
    name: str, lab: Lab, snapshot: Snapshot
) -> None:
    with pytest.raises(CheckFailed, match="only the power can be cut"):
        plan(own(lab, Power("off", "on")), snapshot, made(name), "swarm-node-01", 30, chance=random.Random(1))


def test_without_a_command_for_its_power_a_machine_of_ones_own_keeps_it(lab: Lab, snapshot: Snapshot) -> None:
    with pytest.raises(CheckFailed, match="the lab file has no command for its power"):
        plan(own(lab, None), snapshot, made("power-cut"), "swarm-node-01", 30, chance=random.Random(1))


TAKEN_DOWN = [
    "stop",
    "kill",
    "restart",
    "remove",
    "out-of-memory",
    "power-cut",
    "halt",
    "reboot",
    "docker-stop",
    "docker-kill",
]


@pytest.mark.parametrize("name", TAKEN_DOWN)
def test_when_the_live_color_was_taken_down_nginx_is_told_its_new_port_last(
    name: str, lab: Lab, snapshot: Snapshot
) -> None:
    where = "the live color" if FAULTS[name].takes == "a container" else "the node of the live color"
    made_plan = plan(lab, snapshot, made(name), where, 30, chance=random.Random(1))
    assert [(action.place, action.last) for action in made_plan.actions][-1] == ("swarm-master", True)
    assert f"--unit=lab-fault-{made_plan.id}-last --on-active=40" in made_plan.script(made_plan.actions[-1])


@pytest.mark.parametrize("name", TAKEN_DOWN)
def test_what_is_undone_last_is_armed_before_anything_is_broken(
    name: str, harness: Harness, shells: dict[str, FakeShell], host: FakeShell
) -> None:
    order: list[str] = []

    def noting(shell: FakeShell) -> Callable[..., Result]:
        run = shell.run

        def noted(script: str, **options: Any) -> Result:
            order.append(script)
            return run(script, **options)

        return noted

    where = "the live color" if FAULTS[name].takes == "a container" else "the node of the live color"
    planned = harness.plan(made(name), where, 30)
    for shell in (host, *shells.values()):
        shell.run = noting(shell)  # type: ignore[method-assign]
    harness.begin(planned)
    assert order[0] == planned.script(planned.actions[-1])
    assert len(order) > 1


@pytest.mark.parametrize(
    ("name", "where"), [("kill", "the database"), ("pause", "the live color"), ("halt", "swarm-node-02")]
)
def test_when_the_live_color_kept_its_port_nginx_is_left_alone(
    name: str, where: str, lab: Lab, snapshot: Snapshot
) -> None:
    made_plan = plan(lab, snapshot, made(name), where, 30, chance=random.Random(1))
    assert not any(action.last for action in made_plan.actions)


class Odd(Fault):
    """A fault of the tests."""


def test_the_base_answers_no_scripts_of_its_own() -> None:
    for method in ("inject", "heal", "healed"):
        with pytest.raises(NotImplementedError):
            getattr(Odd(), method)(None)


@pytest.mark.parametrize(
    ("id", "shown"), [("0674abcd", "674:"), ("0001abcd", "1:"), ("e120abcd", "e120:"), ("00f0abcd", "f0:")]
)
def test_a_qdisc_is_looked_for_as_tc_shows_it(id: str, shown: str, lab: Lab) -> None:
    site = Site(id, lab, lab.master, 30)
    assert handle(site) == shown
    for script in (remove_qdisc(site), no_qdisc(site)):
        assert f"grep -q ' {shown} '" in script or f"grep ' {shown} '" in script
