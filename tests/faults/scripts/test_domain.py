"""The power of libvirt's machines, with a virsh that is played: a machine is a file that holds its state."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from faults import power
from faults.fault import Site
from lab import config, virsh

LAB = dataclasses.replace(config.load(config.LAB_FILE), provider="libvirt")
SITE = Site("abcd1234", LAB, LAB.swarm_nodes[0], 30)
NAME = f"{LAB.name}-{LAB.swarm_nodes[0].name}"


class Machine:
    """`button` is what the power button comes to: a state that follows, now or never."""

    def __init__(self, played: Any) -> None:
        self.played = played
        self.mark = f"{virsh.MARK}={LAB.name} /x 0"
        self.becomes("running")
        self.shell("running")
        self.button("shut off")

    def becomes(self, state: str) -> None:
        (self.played.state / "state").write_text(state)

    def button(self, state: str) -> None:
        (self.played.state / "button").write_text(state)

    def shell(self, says: str) -> None:
        self.played.program("ssh", f"echo {says}")

    @property
    def state(self) -> str:
        return str((self.played.state / "state").read_text()).strip()

    def run(self, script: str) -> Any:
        self.played.by_words(
            "virsh",
            {
                f"*desc {NAME}": f"echo '{self.mark}'",
                f"*domstate {NAME}": "echo $(<$state/state)",
                f"*destroy {NAME}": "echo shut off >$state/state",
                f"*start {NAME}": '[ "$(<$state/state)" != running ] && echo running >$state/state',
                f"*suspend {NAME}": "echo paused >$state/state",
                f"*resume {NAME}": "echo running >$state/state",
                f"*shutdown {NAME}": "echo $(<$state/button) >$state/state",
            },
        )
        return self.played.run(script)


@pytest.fixture
def machine(played: Any) -> Machine:
    return Machine(played)


@pytest.mark.parametrize(
    ("act", "state"),
    [(power.CUT, "shut off"), (power.HALT, "shut off"), (power.REBOOT, "running"), (power.FREEZE, "paused")],
)
def test_each_act_has_its_state_and_is_undone(act: str, state: str, machine: Machine) -> None:
    of = power.of(SITE)
    done = machine.run(of.take(act, SITE))
    assert (done.returncode, machine.state) == (0, state), done.stderr
    assert machine.run(of.is_on(SITE)).returncode == (0 if state == "running" else 1)
    done = machine.run(of.give(act, SITE))
    assert (done.returncode, machine.state) == (0, "running"), done.stderr
    assert machine.run(of.give(act, SITE)).returncode == 0  # again is without effect
    assert machine.run(of.is_on(SITE)).returncode == 0


def test_a_machine_that_does_not_heed_its_button_loses_its_power(machine: Machine) -> None:
    machine.button("running")
    machine.run(power.of(SITE).take(power.HALT, SITE))
    assert machine.state == "shut off" and machine.played.calls("destroy")


def test_a_machine_that_is_about_to_stop_is_waited_for(machine: Machine) -> None:
    machine.shell("stopping")
    assert machine.run(power.of(SITE).give(power.HALT, SITE)).returncode == 1
    assert len(machine.played.calls("ssh")) > 3


def test_the_clock_of_a_machine_that_stood_still_is_set_and_of_no_other(machine: Machine) -> None:
    machine.run(power.of(SITE).give(power.FREEZE, SITE))
    assert machine.played.calls("hwclock") == []
    machine.becomes("paused")
    machine.run(power.of(SITE).give(power.FREEZE, SITE))
    assert len(machine.played.calls("hwclock")) == 1


@pytest.mark.parametrize(
    "mark", [f"{virsh.MARK}=other /x 0", f"{virsh.MARK}={LAB.name}-2 /x 0", "No description"]
)
def test_another_labs_machine_and_a_machine_of_nobody_are_left_alone(mark: str, machine: Machine) -> None:
    machine.mark = mark
    for script in (power.of(SITE).take(power.CUT, SITE), power.of(SITE).give(power.CUT, SITE)):
        done = machine.run(script)
        assert done.returncode == 78 and "does not belong to the lab" in done.stderr
    assert machine.state == "running"


def test_a_machine_that_is_gone_has_nothing_to_undo_and_a_silent_libvirt_tells_nothing(
    machine: Machine,
) -> None:
    for said, code in ((f"error: {virsh.GONE} x", 0), ("error: failed to connect", 69)):
        machine.played.program("virsh", f"echo '{said}' >&2; exit 1")
        done = machine.played.run(power.of(SITE).give(power.CUT, SITE))
        assert done.returncode == code
