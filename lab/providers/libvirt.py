"""Nodes that are virtual machines of libvirt: found by the lab's mark whatever Vagrant has noted.

Networks, boxes and the pool are made here, before Vagrant makes machines of them: so they carry the mark, are
whole or not there, and are the same whoever asks.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from lab import environment, named, network, virsh
from lab.alone import alone
from lab.architecture import architecture
from lab.environment import dotfile, lab_state
from lab.errors import HostError, LabError
from lab.model import MARK, Lab
from lab.providers import by_vagrant, kvm, made_elsewhere
from lab.waiting import patience, stretched

MEMORY = 1536  # MiB of each node
CPUS = 2  # of each node, whatever the host has: the master does most, while the others rest
KERNEL_LINE = "root=/dev/vda rw console={console} net.ifnames=0 apparmor=0"
WAYS = IPv4Network("192.168.112.0/20")  # where the networks for SSH are, a /24 a lab
REACH_SECONDS = 3.0
BOX_VOLUME = re.compile(rf"{MARK}-[0-9a-f]{{12}}[-_]")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Box:
    """A box as the lab has built it; `folder` holds box.img, vmlinuz, initrd.img and catalog.json."""

    name: str
    version: str
    architecture: str
    gigabytes: int  # of the disk
    folder: Path

    @property
    def volume(self) -> str:
        """The name under which Vagrant's provider looks for the box in the pool."""
        return f"{self.name}_vagrant_box_image_{self.version}_box.img"

    @property
    def kernel(self) -> str:
        return f"{self.name}-vmlinuz"

    @property
    def initrd(self) -> str:
        return f"{self.name}-initrd.img"

    @property
    def whole(self) -> str:
        """An empty volume that says that the others are whole: it is the last one made."""
        return f"{self.name}-whole"

    @property
    def volumes(self) -> tuple[str, ...]:
        return (self.whole, self.volume, self.kernel, self.initrd)


# --- deciding ---------------------------------------------------------------------------------------------


def parse_box(text: str) -> Box:
    """What the build noted. Raises ValueError or TypeError for anything else."""
    said = json.loads(text)
    return Box(**{**said, "folder": Path(said["folder"])})


def foreign(box: Box, here: str) -> HostError | None:
    """Why machines of this host cannot be made of the box."""
    if box.architecture == here:
        return None
    return HostError(
        f"the box {box.name} is made for {box.architecture}, and this host is {here}",
        last_seen=str(box.folder),
        try_next=f"rm -r {box.folder}; {named.up_command()}",
    )


def disk(lab: Lab, node: str) -> str:
    return f"{lab.machine(node)}.img"


def way_name(lab: Lab) -> str:
    """The network over which this host speaks SSH, and nodes reach what is outside."""
    return f"{lab.name}-ssh"


def bridge(name: str) -> str:
    """The device of a network on this host; the kernel takes 15 characters."""
    return f"lab-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def ways(
    lab: Lab, routes: Iterable[network.Route], networks: Iterable[virsh.Network]
) -> Iterator[IPv4Network]:
    """The subnets in which the way for SSH may be: nobody has a part of them."""
    routes, networks = list(routes), list(networks)
    for subnet in WAYS.subnets(new_prefix=24):
        if subnet.overlaps(IPv4Network(lab.subnet)):
            continue
        if network.clash(replace(lab, name="", subnet=str(subnet)), routes, networks) is None:
            yield subnet


def others(domains: Iterable[virsh.Domain], networks: Iterable[virsh.Network], own: Path) -> dict[str, Path]:
    """What another checkout made -> that checkout, of the things of one lab."""
    things: list[virsh.Domain | virsh.Network] = [*domains, *networks]
    made = {one.name: one.mark.checkout for one in things if one.mark}
    return {name: checkout for name, checkout in made.items() if checkout != own}


def strays(lab: Lab, volumes: Iterable[str], domains: Iterable[virsh.Domain]) -> list[str]:
    """The disks of this lab's nodes that no machine has."""
    taken = {one.name for one in domains}
    return sorted(
        disk(lab, node.name)
        for node in lab.nodes
        if disk(lab, node.name) in set(volumes) and lab.machine(node.name) not in taken
    )


def wrong_driver(domains: Iterable[virsh.Domain], driver: str) -> HostError | None:
    """Machines that were made for KVM do not start where it no longer runs."""
    made = [one.name for one in domains if one.type == kvm.KVM != driver and not one.is_running]
    if not made:
        return None
    return HostError(
        "KVM does not run on this host any more, and these machines were made for it",
        last_seen=", ".join(made),
        try_next=f"{named.command('down')}; {named.up_command()}",
    )


# --- coming up --------------------------------------------------------------------------------------------


def start(lab: Lab, say: Say) -> str:
    """Every machine runs. Raises HostError before anything is made on a host that cannot."""
    box = noted_box()
    refused = foreign(box, architecture())
    if refused:
        raise refused
    refuse_others(lab)
    tried = kvm.try_out(box.folder / "vmlinuz", box.name)
    if tried.driver == kvm.EMULATION:
        say(kvm.warning(tried))
        kvm.adopt_patience(lab)
    not_startable = wrong_driver(virsh.domains_of(lab.name), tried.driver)
    if not_startable:
        raise not_startable
    store(box, say)
    by_vagrant.add_box(box.name, box.version, box.folder / "catalog.json")
    way = ensure_networks(lab)
    told_file().write_text(json.dumps(told(lab, box, tried.driver, way)) + "\n")
    try:
        by_vagrant.start(lab, say, lambda: forget_unfinished(lab, say))
        return by_vagrant.ssh_config(say)
    finally:
        note_finished(lab)


def told(lab: Lab, box: Box, driver: str, way: IPv4Network) -> dict[str, Any]:
    """What the Vagrantfile reads. Pure but for the checkout's own path and the patience of this host."""
    _, _, console = kvm.QEMU[box.architecture]
    return {
        "box": box.name,
        "driver": driver,
        "pool": virsh.POOL,
        "kernel": str(virsh.FOLDER / box.kernel),
        "initrd": str(virsh.FOLDER / box.initrd),
        "kernel_line": KERNEL_LINE.format(console=console),
        "memory": MEMORY,
        "cpus": CPUS,
        "way": {"name": way_name(lab), "address": str(way)},
        "mark": str(virsh.Mark(lab.name, environment.ROOT)),
        "patience": patience(),
    }


def told_file() -> Path:
    return lab_state() / "libvirt.json"


def box_file() -> Path:
    """Where the build notes the box that this lab is made of."""
    return lab_state() / "box.json"


def noted_box() -> Box:
    try:
        return parse_box(box_file().read_text())
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise HostError(
            "no box is noted for the lab's machines", last_seen=str(error), try_next=named.up_command()
        ) from error


def refuse_others(lab: Lab) -> None:
    """HostError when another checkout has a lab of this name here."""
    found = others(virsh.domains_of(lab.name), virsh.networks_of(lab.name), environment.ROOT)
    if found:
        raise made_elsewhere(lab, found)


def store(box: Box, say: Say) -> None:
    """The box, its kernel and its initrd are volumes of the pool, from which all labs take them."""
    with alone(box.folder.parent / "pool.lock", lambda: say("waiting for another lab that stores the box")):
        virsh.ensure_pool()
        there = virsh.volumes()
        if box.whole in there:
            return
        say(f"storing the box {box.name} with libvirt")
        virsh.delete_volumes(name for name in box.volumes if name in there)  # of one that was cut short
        virsh.upload(box.kernel, box.folder / "vmlinuz")
        virsh.upload(box.initrd, box.folder / "initrd.img")
        virsh.upload(box.volume, box.folder / "box.img", form="qcow2", capacity=box.gigabytes << 30)
        virsh.upload(box.whole, box.folder / "metadata.json")


def ensure_networks(lab: Lab) -> IPv4Network:
    """The lab's network and its way for SSH are there and run; the subnet of the latter."""
    mark = virsh.Mark(lab.name, environment.ROOT, time.time())
    with alone(environment.STATE / "networks.lock"):
        networks = virsh.networks()
        own = {one.name: one for one in networks if one.lab == lab.name}
        _refuse_foreign_names(lab, networks)
        if lab.name in own:
            _start_again(lab, own[lab.name])
        else:
            subnet = IPv4Network(lab.subnet)
            xml = virsh.network_xml(lab.name, subnet, bridge(lab.name), mark, leads_out=False)
            virsh.start_network(xml, lab.name)
        way = own.get(way_name(lab))
        if way is None:
            return _make_way(lab, mark, ways(lab, network.host_routes(), networks))
        if not way.is_active:
            virsh.run("net-start", way.name)
        return IPv4Network(way.subnet)


def _refuse_foreign_names(lab: Lab, networks: Iterable[virsh.Network]) -> None:
    for one in networks:
        if one.name in (lab.name, way_name(lab)) and one.lab != lab.name:
            raise HostError(
                f"libvirt has a network {one.name} that is not the lab's",
                try_next=f"virsh -c {virsh.URI} net-dumpxml {one.name}, or another name in lab.yml",
            )


def _start_again(lab: Lab, own: virsh.Network) -> None:
    if own.subnet != lab.subnet:
        raise HostError(
            f"the lab's network is {own.subnet} on this host, and {lab.subnet} in lab.yml",
            try_next=f"{named.command('down')}; {named.up_command()}",
        )
    if not own.is_active:
        virsh.run("net-start", own.name)


def _make_way(lab: Lab, mark: virsh.Mark, subnets: Iterator[IPv4Network]) -> IPv4Network:
    """The first subnet that libvirt takes: another user's lab may have taken one meanwhile."""
    name, last = way_name(lab), "none is free"
    for subnet in subnets:
        try:
            virsh.start_network(virsh.network_xml(name, subnet, bridge(name), mark, leads_out=True), name)
        except HostError:
            raise
        except LabError as error:
            last = error.last_seen or error.what
            continue
        return subnet
    raise HostError(
        f"no subnet of {WAYS} can be the lab's way for SSH", last_seen=last, try_next="ip route; lab list"
    )


# --- what was cut short -----------------------------------------------------------------------------------


def forget_unfinished(lab: Lab, say: Say) -> None:
    """Remove machines that an `up` did not finish, or that Vagrant has no record of, and records of none.

    A machine that answers at its address in the lab is finished: that is the last thing Vagrant gives it.
    """
    files = (dotfile() / "machines").glob("*/libvirt/id")
    records = {path.read_text().strip(): path.parent for path in files}
    own, there = virsh.domains_of(lab.name), virsh.volumes()
    kept = (finished() | reachable(lab, own)) & records.keys() & {one.uuid for one in own}
    for one in own:
        if one.uuid not in kept:
            say(f"{one.name}: it was not finished; made again")
            virsh.remove_domain(one, there)
    for uuid, record in records.items():
        if uuid not in kept:
            shutil.rmtree(record, ignore_errors=True)
    virsh.delete_volumes(strays(lab, virsh.volumes(), virsh.domains()))


def reachable(lab: Lab, domains: Iterable[virsh.Domain]) -> set[str]:
    """The machines of running nodes whose SSH server answers at their address in the lab, by uuid."""
    addresses = {lab.machine(node.name): node.address for node in lab.nodes}
    running = (one for one in domains if one.is_running and one.name in addresses)
    return {one.uuid for one in running if _listens(addresses[one.name])}


def _listens(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), stretched(REACH_SECONDS)):
            return True
    except OSError:
        return False


def _finished_file() -> Path:
    return lab_state() / "machines.json"


def finished() -> set[str]:
    """The machines that Vagrant has finished, by uuid."""
    try:
        return set(json.loads(_finished_file().read_text()))
    except (OSError, ValueError, TypeError):
        return set()


def note_finished(lab: Lab) -> None:
    own = virsh.domains_of(lab.name)
    there = {one.uuid for one in own}
    _finished_file().write_text(json.dumps(sorted(finished() & there | reachable(lab, own))) + "\n")


# --- going ------------------------------------------------------------------------------------------------


def remove(lab: Lab, say: Say) -> list[str]:
    """Everything that carries the lab's mark, without any state file; boxes stay, for the next lab."""
    own = virsh.domains_of(lab.name)
    if own:
        say(f"removing {len(own)} machines: " + ", ".join(one.name for one in own))
    for one in own:
        virsh.remove_domain(one, virsh.volumes())
    virsh.delete_volumes(strays(lab, virsh.volumes(), virsh.domains()))
    for its in virsh.networks_of(lab.name):
        say(f"removing the network {its.name}")
        virsh.remove_network(its)
    for record in (dotfile() / "machines").glob("*/libvirt"):
        shutil.rmtree(record, ignore_errors=True)
    for file in (told_file(), _finished_file()):
        file.unlink(missing_ok=True)
    return left(lab)


def left(lab: Lab) -> list[str]:
    """What is still there of the lab, in words."""
    domains = virsh.domains()
    return [
        *(f"machine {one.name}" for one in domains if one.mark and one.mark.lab == lab.name),
        *(f"volume {name}" for name in strays(lab, virsh.volumes(), domains)),
        *(f"network {one.name}" for one in virsh.networks_of(lab.name)),
    ]


def remove_boxes(say: Say) -> None:
    """The boxes go from libvirt and from Vagrant. Raises HostError while machines of some lab need them."""
    users = [one.name for one in virsh.domains() if any(map(virsh.volume_of, one.volumes))]
    if users:
        raise HostError(
            "boxes are in use", last_seen=", ".join(users), try_next="lab list; lab down there; then again"
        )
    boxes = sorted(filter(BOX_VOLUME.match, virsh.volumes()))
    if boxes:
        say(f"removing {len(boxes)} volumes of boxes")
        virsh.delete_volumes(boxes)
    if virsh.has_pool() and not virsh.volumes():
        virsh.remove_pool()
    by_vagrant.remove_boxes(f"{MARK}-*")
