"""Checkpoints of virtual machines, with a libvirt that is played: what it was asked, and what was refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deployments.checkpoints import by_provider, snapshots, standstill
from deployments.checkpoints.snapshots import PREFIX, Snapshots
from lab import config, machines, virsh
from lab.errors import CheckFailed, HostError
from lab.providers import libvirt

LAB = replace(config.load(config.LAB_FILE), provider="libvirt")
ID, OTHER = "0123456789ab", "ba9876543210"
MACHINES = [LAB.machine(node.name) for node in LAB.nodes]


def domain(name: str) -> virsh.Domain:
    return virsh.Domain(name, f"uuid of {name}", "qemu", virsh.Mark(LAB.name, Path("/x")), is_running=True)


DOMAINS = {node.name: domain(LAB.machine(node.name)) for node in LAB.nodes}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was changed; a libvirt with two snapshots of ours and one of the user's on every machine."""
    changed: list[str] = []
    monkeypatch.setattr(virsh, "snapshots", lambda machine: {PREFIX + ID, PREFIX + OTHER, "before-lunch"})
    monkeypatch.setattr(virsh, "snapshot_made", lambda machine, name: "1700000000")
    monkeypatch.setattr(virsh, "free", lambda: 1 << 40)
    monkeypatch.setattr(virsh, "run", lambda *words, **_: changed.append(" ".join(words)) or "paused\n")
    return changed


def test_every_machine_is_reverted_before_any_goes_on(asked: list[str]) -> None:
    Snapshots(DOMAINS, LAB).put_back(ID)
    words = [line.split()[0] for line in asked if not line.startswith("domstate")]
    assert words == ["snapshot-revert"] * len(MACHINES) + ["resume"] * len(MACHINES)
    assert all(f"{PREFIX}{ID} --paused" in line for line in asked if line.startswith("snapshot-revert"))


def test_snapshots_that_no_checkpoint_has_go_and_the_users_own_stay(asked: list[str]) -> None:
    Snapshots(DOMAINS, LAB).clear([ID])
    assert sorted(asked) == sorted(f"snapshot-delete {machine} {PREFIX}{OTHER}" for machine in MACHINES)


def test_a_machine_that_lacks_the_snapshot_has_nothing_of_the_checkpoint(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virsh, "snapshots", lambda machine: {"before-lunch"})
    assert {weight.digest for weight in Snapshots(DOMAINS, LAB).weigh(ID).values()} == {"none"}


def test_a_snapshot_made_at_another_time_or_of_another_machine_is_another() -> None:
    one, two = map(domain, MACHINES[:2])
    identities = {snapshots.identity(one, "1"), snapshots.identity(one, "2"), snapshots.identity(two, "1")}
    assert len(identities) == 3


def test_a_disk_that_cannot_take_the_memory_of_all_machines_is_refused_first(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virsh, "free", lambda: libvirt.MEMORY << 20)
    with pytest.raises(HostError, match="no room for snapshots"):
        Snapshots(DOMAINS, LAB).take(ID, [])
    assert asked == []


def test_without_a_machine_nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virsh, "domains_of", lambda lab: [domain(name) for name in MACHINES[1:]])
    with pytest.raises(CheckFailed, match=f"no machine of {LAB.master.name}"):
        snapshots.present(LAB, print)


def test_the_clock_is_set_only_on_machines_that_stood_still(monkeypatch: pytest.MonkeyPatch) -> None:
    still = MACHINES[0]
    said: list[str] = []

    class Shell:
        def __init__(self, node: str) -> None:
            self.node = node

        def run(self, script: str) -> None:
            said.append(f"{self.node}: {script}")

    monkeypatch.setattr(virsh, "resume", lambda machine: machine == still)
    monkeypatch.setattr(standstill.machines, "shells", lambda lab: {n.name: Shell(n.name) for n in lab.nodes})
    standstill.PAUSING["libvirt"].go_on(LAB)
    assert said == [f"{LAB.nodes[0].name}: {standstill.SET_CLOCK}"]


def test_every_store_knows_how_its_nodes_stand_still() -> None:
    assert standstill.PAUSING.keys() == by_provider.KINDS.keys()


@pytest.mark.parametrize("provider", sorted(machines.PROVIDERS.keys() - by_provider.KINDS.keys()))
def test_machines_that_cannot_be_saved_are_refused_by_name(provider: str) -> None:
    with pytest.raises(HostError, match=provider):
        by_provider.kind_of(replace(LAB, provider=provider))
