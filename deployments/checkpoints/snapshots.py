"""Checkpoints of nodes that are virtual machines of libvirt: a snapshot of each, disk and memory.

A node goes on from its snapshot in the middle of what it did; only its clock must be set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from deployments.checkpoints.manifest import Manifest
from deployments.checkpoints.standstill import SET_CLOCK, standstill
from deployments.checkpoints.store import SPARE_KB, Weight
from lab import named, virsh
from lab.errors import CheckFailed, HostError, LabError
from lab.model import MARK, Lab
from lab.providers import libvirt
from lab.shell import Shell, in_parallel

Say = Callable[[str], None]
PREFIX = f"{MARK}-"  # of a snapshot that is a checkpoint's; a user's own have other names
NONE = Weight("none", 0, 0, 0)


@dataclass(frozen=True)
class Snapshots:
    """A Store; `domains` by node."""

    domains: Mapping[str, virsh.Domain]
    lab: Lab

    def clear(self, known: Sequence[str]) -> None:
        kept = {PREFIX + id for id in known}

        def tidy(node: str) -> None:
            for name in virsh.snapshots(self.domains[node].name):
                if name.startswith(PREFIX) and name not in kept:
                    virsh.delete_snapshot(self.domains[node].name, name)

        in_parallel(tidy, self.domains)

    def take(self, id: str, known: Sequence[str]) -> None:
        del known  # a disk shares what is alike by itself
        refused = no_room(len(self.domains), virsh.free())
        if refused:
            raise refused
        with standstill(self.lab):
            in_parallel(lambda node: virsh.take_snapshot(self.domains[node].name, PREFIX + id), self.domains)

    def weigh(self, id: str) -> dict[str, Weight]:
        def weight(node: str) -> Weight:
            domain = self.domains[node]
            if PREFIX + id not in virsh.snapshots(domain.name):
                return NONE
            digest = identity(domain, virsh.snapshot_made(domain.name, PREFIX + id))
            # What of the disk is alike is shared, so the memory is what it takes.
            return Weight(digest, virsh.resident(domain.name) // 1024, 0, virsh.free() // 1024)

        return in_parallel(weight, self.domains)

    def put_back(self, id: str) -> None:
        in_parallel(lambda node: virsh.revert(self.domains[node].name, PREFIX + id), self.domains)
        in_parallel(lambda node: virsh.resume(self.domains[node].name), self.domains)


@contextmanager
def opened(lab: Lab, *, beside: bool = True) -> Iterator[Snapshots]:
    del beside  # a snapshot is as well of a machine that is off
    yield Snapshots(_domains(lab), lab)


def _domains(lab: Lab) -> dict[str, virsh.Domain]:
    there = {one.name: one for one in virsh.domains_of(lab.name)}
    by_node = {node.name: there.get(lab.machine(node.name)) for node in lab.nodes}
    missing = sorted(node for node, domain in by_node.items() if domain is None)
    if missing:
        raise CheckFailed(
            f"there is no machine of {', '.join(missing)}, and with it went its part of every checkpoint",
            try_next=named.up_command(),
        )
    return {node: domain for node, domain in by_node.items() if domain}


def image_of(lab: Lab) -> str:
    """The box of the lab's machines."""
    del lab
    return libvirt.noted_box().name


def present(lab: Lab, say: Say) -> set[str]:
    """A machine that is off, paused or hung goes on from its snapshot all the same."""
    del say
    _domains(lab)
    return set()


def come_back(
    lab: Lab, shells: Mapping[str, Shell], saved: Manifest, made_anew: Collection[str], say: Say
) -> None:
    """Every clock of the nodes shows this host's time; they would go on at that of the snapshot."""
    in_parallel(lambda node: shells[node].run(SET_CLOCK), shells)


# --- deciding -----------------------------------------------------------------------------------------------


def identity(domain: virsh.Domain, made: str) -> str:
    """What a snapshot of the same name, made at another time or of a machine made anew, has not. Pure."""
    return hashlib.sha256(f"{domain.uuid} {made}".encode()).hexdigest()


def no_room(machines: int, free: int) -> LabError | None:
    """Why the snapshots may not fit: each holds its machine's memory; `free` in bytes. Pure."""
    need = machines * libvirt.MEMORY * 1024 + SPARE_KB
    if need * 1024 <= free:
        return None
    return HostError(
        "the host's disk has no room for snapshots",
        last_seen=f"{need // 1024} MB for {machines} machines, {free >> 20} MB free in {virsh.FOLDER}",
        try_next=f"df -h {virsh.FOLDER}; {named.command('checkpoints')}",
    )
