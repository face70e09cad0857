"""Virtual machines of libvirt: what is made, what is refused, what is forgotten, and that nothing is left."""

from __future__ import annotations

import dataclasses
import json
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from lab import config, environment, network, virsh
from lab.errors import HostError, LabError
from lab.providers import by_vagrant, kvm, libvirt
from lab.providers.libvirt import Box
from lab.virsh import Domain, Mark, Network

LAB = dataclasses.replace(config.load(config.LAB_FILE), provider="libvirt")
MASTER, FIRST = (LAB.machine(node.name) for node in LAB.nodes[:2])
NOTHING: list[Any] = []


def say(line: str) -> None:
    return


class FakeLibvirt:
    """Keeps machines, networks and volumes, and notes what is done to them."""

    def __init__(self) -> None:
        self.domains: list[Domain] = []
        self.networks: list[Network] = []
        self.volumes: set[str] = set()
        self.did: list[str] = []
        self.taken: set[str] = set()  # subnets that a network cannot start in

    def start_network(self, xml: str, name: str) -> None:
        made = virsh.parse_network(xml, is_active=True)
        if made.subnet in self.taken:
            raise LabError("libvirt refused", last_seen="Network is already in use")
        self.networks.append(made)
        self.did.append(f"network {name} {made.subnet}")

    def remove_network(self, one: Network) -> None:
        self.networks.remove(one)
        self.did.append(f"network {one.name} gone")

    def remove_domain(self, one: Domain, there: set[str]) -> None:
        self.domains.remove(one)
        self.volumes -= {f"{one.name}.img"}
        self.did.append(f"machine {one.name} gone")

    def delete_volumes(self, names: Any) -> None:
        for name in names:
            self.volumes.remove(name)
            self.did.append(f"volume {name} gone")

    def upload(self, name: str, file: Path, **_: object) -> None:
        self.volumes.add(name)
        self.did.append(f"volume {name}")

    def run(self, *words: str) -> str:
        self.did.append(" ".join(words))
        return ""


@pytest.fixture(autouse=True)
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLibvirt:
    """No virsh, no Vagrant, and a checkout of its own."""
    one = FakeLibvirt()
    for name in ("start_network", "remove_network", "remove_domain", "delete_volumes", "upload", "run"):
        monkeypatch.setattr(virsh, name, getattr(one, name))
    monkeypatch.setattr(virsh, "domains", lambda: list(one.domains))
    monkeypatch.setattr(virsh, "networks", lambda: list(one.networks))
    monkeypatch.setattr(virsh, "volumes", lambda: set(one.volumes))
    monkeypatch.setattr(virsh, "has_pool", lambda: True)
    monkeypatch.setattr(virsh, "ensure_pool", lambda: one.did.append("pool"))
    monkeypatch.setattr(virsh, "remove_pool", lambda: one.did.append("pool gone"))
    monkeypatch.setattr(network, "host_routes", lambda: [network.Route("default", "eth0")])
    monkeypatch.setattr(libvirt, "_listens", lambda address: False)
    monkeypatch.setattr(by_vagrant, "_vagrant", lambda: pytest.fail("Vagrant was called"))
    monkeypatch.setattr(by_vagrant, "BOXES", tmp_path / "boxes-of-vagrant")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "STATE", tmp_path / ".lab")
    (tmp_path / ".lab").mkdir()
    return one


@pytest.fixture
def box(tmp_path: Path) -> Box:
    folder = tmp_path / "cache/boxes/0123456789ab"
    folder.mkdir(parents=True)
    return Box("bluegreen-lab-0123456789ab", "1.0.0", "amd64", 16, folder)


def ours(name: str, uuid: str, **more: Any) -> Domain:
    return Domain(name, uuid, "qemu", Mark(LAB.name, environment.ROOT), **more)


def record(uuid: str, node: str) -> Path:
    """Vagrant's record of a node."""
    folder = environment.ROOT / ".vagrant/machines" / node / "libvirt"
    folder.mkdir(parents=True)
    (folder / "id").write_text(uuid)
    return folder


# --- what is refused ----------------------------------------------------------------------------------------


def test_a_box_of_another_architecture_is_refused_with_what_to_remove(box: Box) -> None:
    refused = libvirt.foreign(box, "arm64")
    assert refused and "is made for amd64, and this host is arm64" in str(refused)
    assert f"rm -r {box.folder}" in str(refused)
    assert libvirt.foreign(box, "amd64") is None


def test_without_a_box_the_next_command_makes_one() -> None:
    with pytest.raises(HostError, match="no box is noted") as caught:
        libvirt.noted_box()
    assert caught.value.try_next == "make lab-up"


def test_a_lab_of_the_same_name_from_another_folder_is_refused_and_left_alone(fake: FakeLibvirt) -> None:
    fake.domains = [dataclasses.replace(ours(MASTER, "1"), mark=Mark(LAB.name, Path("/elsewhere")))]
    with pytest.raises(HostError, match="made from another folder") as caught:
        libvirt.refuse_others(LAB)
    assert f"{MASTER} is of /elsewhere" in str(caught.value) and "lab down" in str(caught.value)
    assert fake.did == []


def test_a_network_of_the_labs_name_without_its_mark_is_refused(fake: FakeLibvirt) -> None:
    fake.networks = [Network(LAB.name, "", "br0")]
    with pytest.raises(HostError, match="a network bluegreen-lab that is not the lab's"):
        libvirt.ensure_networks(LAB)
    assert fake.did == []


def test_machines_that_were_made_for_kvm_are_told_when_it_is_gone() -> None:
    made = [Domain(MASTER, "1", "kvm", None)]
    refused = libvirt.wrong_driver(made, kvm.EMULATION)
    assert refused and MASTER in str(refused) and "lab down; make lab-up" in str(refused)
    assert libvirt.wrong_driver(made, kvm.KVM) is None
    assert libvirt.wrong_driver([Domain(MASTER, "1", "qemu", None)], kvm.EMULATION) is None


def test_machines_that_were_emulated_go_on_so_where_kvm_now_runs() -> None:
    assert libvirt.wrong_driver([Domain(MASTER, "1", "qemu", None)], kvm.KVM) is None


# --- networks -----------------------------------------------------------------------------------------------


def test_both_networks_carry_the_mark_and_the_labs_own_has_the_articles_subnet(fake: FakeLibvirt) -> None:
    way = libvirt.ensure_networks(LAB)
    assert fake.did == [f"network {LAB.name} {LAB.subnet}", f"network {LAB.name}-ssh {way}"]
    assert {one.lab for one in fake.networks} == {LAB.name}
    assert all(one.mark and one.mark.checkout == environment.ROOT for one in fake.networks)
    assert all(len(one.bridge) <= 15 for one in fake.networks)


def test_networks_that_are_there_are_only_started(fake: FakeLibvirt) -> None:
    way = libvirt.ensure_networks(LAB)
    fake.networks = [dataclasses.replace(one, is_active=False) for one in fake.networks]
    fake.did.clear()
    assert libvirt.ensure_networks(LAB) == way
    assert fake.did == [f"net-start {LAB.name}", f"net-start {LAB.name}-ssh"]


def test_a_network_of_another_subnet_than_the_file_says_is_told(fake: FakeLibvirt) -> None:
    libvirt.ensure_networks(LAB)
    with pytest.raises(HostError, match=r"10\.100\.199\.0/24 on this host, and 10\.1\.1\.0/24 in lab\.yml"):
        libvirt.ensure_networks(dataclasses.replace(LAB, subnet="10.1.1.0/24"))


def test_the_way_for_ssh_is_where_nobody_is() -> None:
    routes = [network.Route("192.168.112.0/24", "eth0")]
    networks = [Network("theirs", "192.168.113.0/24", "virbr1")]
    lab = dataclasses.replace(LAB, subnet="192.168.114.0/24")
    assert next(libvirt.ways(lab, routes, networks)) == IPv4Network("192.168.115.0/24")
    everywhere = [network.Route("192.168.0.0/16", "tun0")]
    assert list(libvirt.ways(LAB, everywhere, [])) == []


def test_a_subnet_that_somebody_takes_meanwhile_is_passed_over(fake: FakeLibvirt) -> None:
    fake.taken = {"192.168.112.0/24"}
    assert libvirt.ensure_networks(LAB) == IPv4Network("192.168.113.0/24")
    assert [one.name for one in fake.networks] == [LAB.name, f"{LAB.name}-ssh"]


# --- the box ------------------------------------------------------------------------------------------------


def test_a_box_is_stored_once_and_its_last_volume_says_that_it_is_whole(fake: FakeLibvirt, box: Box) -> None:
    libvirt.store(box, say)
    assert fake.did[-1] == f"volume {box.whole}"
    fake.did.clear()
    libvirt.store(box, say)
    assert fake.did == ["pool"]


def test_a_box_whose_storing_was_cut_short_is_stored_again(fake: FakeLibvirt, box: Box) -> None:
    fake.volumes = {box.kernel, box.volume, "theirs.img"}
    libvirt.store(box, say)
    assert fake.did[1:3] == [f"volume {box.volume} gone", f"volume {box.kernel} gone"]
    assert fake.volumes == {*box.volumes, "theirs.img"}


def test_boxes_are_not_removed_under_a_machine(fake: FakeLibvirt) -> None:
    fake.domains = [Domain("other-n1", "1", "qemu", None, (virsh.FOLDER / "other-n1.img",))]
    with pytest.raises(HostError, match="boxes are in use\n  last seen: other-n1"):
        libvirt.remove_boxes(say)
    assert fake.did == []


def test_boxes_go_with_their_pool_and_leave_other_volumes(fake: FakeLibvirt, box: Box) -> None:
    fake.volumes = {*box.volumes, f"{MASTER}.img"}
    libvirt.remove_boxes(say)
    assert fake.volumes == {f"{MASTER}.img"} and "pool gone" not in fake.did
    fake.volumes = set(box.volumes)
    libvirt.remove_boxes(say)
    assert fake.did[-1] == "pool gone"


def test_what_vagrant_is_told_is_enough_for_its_file(box: Box) -> None:
    told = libvirt.told(LAB, box, kvm.EMULATION, IPv4Network("192.168.112.0/24"))
    assert virsh.read_mark(told["mark"]) == Mark(LAB.name, environment.ROOT)
    assert told["kernel"] == f"{virsh.FOLDER}/{box.kernel}" and "console=ttyS0" in told["kernel_line"]
    assert (told["driver"], told["cpus"]) == ("qemu", 2)
    text = (Path(config.__file__).parents[1] / "Vagrantfile").read_text()
    for name in told.keys() - {"way"}:
        assert f'LIBVIRT.fetch("{name}"' in text or f'LIBVIRT["{name}"]' in text, name


# --- cut short ----------------------------------------------------------------------------------------------


def test_a_finished_machine_is_kept_running_or_not(
    fake: FakeLibvirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.domains = [ours(MASTER, "1", is_running=True), ours(FIRST, "2")]
    for uuid, node in (("1", "swarm-master"), ("2", "swarm-node-01")):
        record(uuid, node)
    (environment.STATE / "machines.json").write_text(json.dumps(["2"]))
    monkeypatch.setattr(libvirt, "_listens", lambda address: address == LAB.master.address)
    libvirt.forget_unfinished(LAB, say)
    libvirt.note_finished(LAB)
    assert (fake.did, libvirt.finished()) == ([], {"1", "2"})


def test_a_machine_without_its_last_step_or_without_a_record_is_made_again(fake: FakeLibvirt) -> None:
    fake.domains = [ours(MASTER, "1", is_running=True), ours(FIRST, "2")]
    fake.volumes = {f"{MASTER}.img", f"{FIRST}.img"}
    (environment.STATE / "machines.json").write_text(json.dumps(["2"]))
    half = record("1", "swarm-master")
    said: list[str] = []
    libvirt.forget_unfinished(LAB, said.append)
    assert fake.did == [f"machine {MASTER} gone", f"machine {FIRST} gone"]
    assert not half.exists() and len(said) == 2


def test_a_record_of_a_machine_that_is_gone_goes_with_its_key(fake: FakeLibvirt) -> None:
    stale = record("9", "swarm-master")
    libvirt.forget_unfinished(LAB, say)
    assert not stale.exists()


def test_a_disk_without_a_machine_goes_and_a_machine_of_others_keeps_its_own(fake: FakeLibvirt) -> None:
    fake.domains = [Domain(FIRST, "2", "kvm", Mark("bluegreen", Path("/x")))]
    fake.volumes = {f"{MASTER}.img", f"{FIRST}.img", "other.img"}
    libvirt.forget_unfinished(LAB, say)
    assert fake.did == [f"volume {MASTER}.img gone"]


# --- going --------------------------------------------------------------------------------------------------


def test_nothing_is_left_of_the_lab_and_all_of_everybody_else(fake: FakeLibvirt, box: Box) -> None:
    libvirt.ensure_networks(LAB)
    theirs = Domain("web", "9", "kvm", None)
    other = Network("default", "192.168.122.0/24", "virbr0")
    fake.networks.append(other)
    fake.domains = [ours(MASTER, "1", is_running=True), theirs]
    fake.volumes = {f"{MASTER}.img", f"{FIRST}.img", *box.volumes}
    kept = record("1", "swarm-master")
    assert libvirt.remove(LAB, say) == []
    assert (fake.domains, fake.networks, fake.volumes) == ([theirs], [other], set(box.volumes))
    assert not kept.exists()


def test_what_does_not_go_is_named(fake: FakeLibvirt, monkeypatch: pytest.MonkeyPatch) -> None:
    libvirt.ensure_networks(LAB)
    fake.domains, fake.volumes = [ours(MASTER, "1")], {f"{FIRST}.img"}
    for name in ("remove_network", "remove_domain", "delete_volumes"):
        monkeypatch.setattr(virsh, name, lambda *_: None)
    assert libvirt.remove(LAB, say) == [
        f"machine {MASTER}",
        f"volume {FIRST}.img",
        f"network {LAB.name}",
        f"network {LAB.name}-ssh",
    ]
