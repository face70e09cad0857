"""The checks of a host whose nodes are virtual machines."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from lab import virsh
from lab.errors import HostError
from lab.network import Route
from lab.providers.kvm import EMULATION, KVM, Tried
from provisioning import doctor
from provisioning.doctor import observing, virtual
from provisioning.doctor.facts import Check, Engine, Facts, Hypervisor, Space, Unseen
from provisioning.doctor.host import GIB, disk


@pytest.fixture
def facts(host: Facts) -> Facts:
    """A host for libvirt on which nothing is to be noted."""
    lab = dataclasses.replace(host.lab, provider="libvirt")
    own = virsh.Network(lab.name, lab.subnet, "lab-1", virsh.Mark(lab.name, Path("/x")), True)
    assert isinstance(host.engine, Engine)
    return dataclasses.replace(
        host,
        lab=lab,
        engine=dataclasses.replace(host.engine, networks=(), containers=()),
        tools={**host.tools, "virsh": "/usr/bin/virsh", "qemu-img": "/usr/bin/qemu-img"},
        routes=(Route("default", "eth0"), Route(lab.subnet, "lab-1")),
        hypervisor=Hypervisor(True, (own,), True, Tried(KVM, "", "b", "k"), True, ""),
    )


def changed(facts: Facts, **changes: Any) -> Facts:
    assert facts.hypervisor
    return dataclasses.replace(facts, hypervisor=dataclasses.replace(facts.hypervisor, **changes))


def test_a_host_for_libvirt_has_nothing_to_note(facts: Facts) -> None:
    assert [check for check in doctor.judge(facts) if check.state != "ok"] == []


def test_checks_of_virtual_machines_are_not_asked_of_containers(host: Facts) -> None:
    names = {check.name for check in doctor.judge(host)}
    assert names & {"plugin", "libvirt", "acceleration", "box", "vbox"} == set()


def test_a_missing_plugin_blocks(facts: Facts) -> None:
    found = virtual.plugin(changed(facts, has_plugin=False))
    assert (found.state, found.mend) == ("blocker", "lab/host.sh")
    assert "vagrant-libvirt" in found.seen


def test_a_missing_program_blocks(facts: Facts) -> None:
    found = virtual.libvirt(dataclasses.replace(facts, tools={}))
    assert found == Check("libvirt", "blocker", "not here: virsh, qemu-img", "lab/host.sh")


def test_a_libvirt_that_refuses_this_user_blocks_with_the_group(
    facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = virsh.refusal("error: failed to connect to the hypervisor: Permission denied")
    assert refused

    def ask() -> list[virsh.Network]:
        raise refused

    monkeypatch.setattr(virsh, "networks", ask)
    found = virtual.libvirt(changed(facts, networks=observing._networks()))
    assert found.state == "blocker" and "usermod -aG libvirt,kvm" in found.mend


def test_a_silent_libvirt_blocks_and_a_slow_one_is_noted(facts: Facts) -> None:
    silent = Unseen("libvirt does not answer", "lab/host.sh", is_certain=True)
    assert virtual.libvirt(changed(facts, networks=silent)).state == "blocker"
    assert virtual.libvirt(changed(facts, networks=Unseen("no answer in 1 s"))).state == "note"


def test_emulation_is_told_with_its_reason_and_its_price(facts: Facts) -> None:
    found = virtual.acceleration(changed(facts, tried=Tried(EMULATION, "it hangs", "b", "k")))
    assert found.state == "note" and "it hangs" in found.seen and "minutes" in found.seen


def test_before_the_first_start_nobody_says_that_kvm_runs(facts: Facts) -> None:
    found = virtual.acceleration(changed(facts, tried=None))
    assert found.state == "note" and "the first `lab up` tries" in found.seen
    assert "emulated" in virtual.acceleration(changed(facts, tried=None, has_device=False)).seen


def test_memory_for_every_machine_at_once_is_needed_but_not_while_they_run(facts: Facts) -> None:
    little = dataclasses.replace(facts, meminfo="MemTotal: 8000000 kB\nMemAvailable: 5000000 kB\n")
    assert virtual.memory(little).state == "ok"  # they run
    down = changed(little, networks=())
    assert virtual.memory(down).state == "blocker" and "4 machines take 6.5" in virtual.memory(down).seen


def test_a_foreign_network_of_libvirt_in_our_subnet_blocks(facts: Facts) -> None:
    theirs = virsh.Network("theirs", facts.lab.subnet, "virbr1")
    (found,) = (one for one in doctor.judge(changed(facts, networks=(theirs,))) if one.name == "subnet")
    assert found.state == "blocker" and 'the libvirt network "theirs"' in found.seen


def test_a_lab_without_a_box_is_told_what_that_costs(facts: Facts) -> None:
    assert virtual.box(changed(facts, has_box=False)).state == "note"


@pytest.mark.parametrize(
    ("subnet", "text", "state"),
    [
        ("10.100.199.0/24", "", "blocker"),
        ("192.168.60.0/24", "", "ok"),
        ("10.100.199.0/24", "* 10.0.0.0/8 192.168.0.0/16\n* 2001::/64\n", "ok"),
        ("10.100.199.0/24", "* 0.0.0.0/0 ::/0\n", "ok"),
        ("10.100.199.0/24", "# * 10.0.0.0/8\n* 10.100.198.0/24\n", "blocker"),
    ],
)
def test_virtualbox_takes_its_own_range_and_what_its_file_allows(
    subnet: str, text: str, state: str, facts: Facts
) -> None:
    lab = dataclasses.replace(facts.lab, provider="virtualbox", subnet=subnet)
    found = virtual.vbox(changed(dataclasses.replace(facts, lab=lab), vbox_networks=text))
    assert found.state == state
    if state == "blocker":
        assert found.mend == f"echo '* {subnet}' | sudo tee -a /etc/vbox/networks.conf"
        (line,) = (word for word in found.mend.split("'") if word.startswith("* "))
        assert virtual.allows(line, IPv4Network(subnet))


def test_libvirt_is_asked_only_for_a_lab_of_it(facts: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virsh, "networks", lambda: pytest.fail("libvirt was asked"))
    assert observing._hypervisor(dataclasses.replace(facts.lab, provider="docker"))() is None
    found = observing._hypervisor(dataclasses.replace(facts.lab, provider="virtualbox"))()
    assert found and found.networks == ()


def test_what_libvirt_says_is_in_the_blocker(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask() -> list[virsh.Network]:
        raise HostError("libvirt does not answer", last_seen="no socket", try_next="lab/host.sh")

    monkeypatch.setattr(virsh, "networks", ask)
    assert observing._networks() == Unseen("libvirt does not answer: no socket", "lab/host.sh", True)


def test_a_box_that_is_still_to_be_made_needs_room(facts: Facts) -> None:
    place = Space("/home/alice/.cache/bluegreen-lab", 1, 2 * GIB)
    little = dataclasses.replace(changed(facts, networks=()), spaces={"cache": place})
    found = {has_box: disk(changed(little, has_box=has_box)).state for has_box in (True, False)}
    assert found == {True: "note", False: "blocker"}  # of the engine's place nobody can tell
