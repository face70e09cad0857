"""What `lab doctor` judges: the facts of a host, as its programs and files said them, and a judgement.

A look that brought nothing is an `Unseen`, which says why: nobody takes it for "not there".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lab.model import Lab
from lab.network import DockerNetwork, Route
from lab.providers.kvm import Tried
from lab.virsh import Network

State = Literal["ok", "note", "blocker"]


@dataclass(frozen=True)
class Check:
    """One line of the list: what was seen, and the command that mends it, "" when there is none."""

    name: str
    state: State
    seen: str
    mend: str = ""


@dataclass(frozen=True)
class Unseen:
    """Why a look brought nothing; `is_certain` when for that very reason a bring-up cannot work."""

    why: str
    mend: str = ""
    is_certain: bool = False


@dataclass(frozen=True)
class Container:
    """A container that runs on the engine, and the ports of this host that it takes."""

    name: str
    is_ours: bool
    ports: tuple[int, ...]


@dataclass(frozen=True)
class Engine:
    """What the engine answers; `version` and `info` are its own words."""

    socket: str
    version: Mapping[str, Any]
    info: Mapping[str, Any]
    networks: tuple[DockerNetwork, ...]
    containers: tuple[Container, ...]
    images: frozenset[str]  # of the lab's, those that it holds: "base", "node"


@dataclass(frozen=True)
class Program:
    """A program by its name: where it is ("" when nowhere), and what it says of its version."""

    name: str
    path: str
    said: str | Unseen = ""


@dataclass(frozen=True)
class Kernel:
    """What tells of the kernel's features; None where the host does not let one look."""

    modules: frozenset[str] | None  # built in, or there to be loaded
    loaded: frozenset[str]
    config: frozenset[str] | None  # the options that are y or m


@dataclass(frozen=True)
class Space:
    """Free bytes where something is kept, and the device, since two places may share one."""

    place: str
    device: int
    free: int


@dataclass(frozen=True)
class Cache:
    """What a bring-up finds ready: the programs it lacks, and whether the registry's content is there."""

    lacking: tuple[str, ...]
    has_store: bool
    go: str | Unseen  # the command that builds; "" when nothing is to be built


@dataclass(frozen=True)
class Hypervisor:
    """What makes virtual machines here; all but `vbox_networks`, VirtualBox's own file, is of libvirt."""

    has_plugin: bool  # Vagrant's, for libvirt
    networks: tuple[Network, ...] | Unseen  # all that libvirt has
    has_device: bool  # /dev/kvm, and this user may open it
    tried: Tried | None  # what a real start on KVM came to, in this boot of the host or another
    has_box: bool
    vbox_networks: str  # /etc/vbox/networks.conf, "" without one


@dataclass(frozen=True)
class Facts:
    """Everything the checks judge."""

    lab: Lab
    system: str
    machine: str
    release: str
    os_release: str  # /etc/os-release
    python: tuple[int, int]
    is_root: bool
    given: Mapping[str, str]  # the user's environment
    passing: tuple[str, ...]  # the names of it that the lab lets through
    engine: Engine | Unseen
    settings: str | Unseen  # /etc/docker/daemon.json, "" without one
    command: str  # the engine's command line, "" when it cannot be seen
    docker: Program
    vagrant: Program
    browsers: tuple[Program, ...] | None  # None: nobody asked
    tools: Mapping[str, str]  # other programs -> where they are, "" for nowhere
    has_keyring: bool
    bounding: str  # CapBnd of the engine, or of this process
    is_bounding_of_engine: bool
    vagrantfile: str
    kernel: Kernel
    inotify: Mapping[str, int]
    meminfo: str
    mountinfo: str
    spaces: Mapping[str, Space]  # "cache" and "engine"
    listening: frozenset[int] | Unseen
    routes: tuple[Route, ...] | Unseen
    now: float
    newest: float  # when a file of the checkout was changed last
    foreign: tuple[str, ...]  # what an earlier bring-up left and this user may not write
    cache: Cache
    hypervisor: Hypervisor | None = None  # None: the lab's nodes are no virtual machines

    @property
    def is_up(self) -> bool:
        """Whether nodes of this lab run: what they take is then not taken by someone else."""
        if self.hypervisor and not isinstance(self.hypervisor.networks, Unseen):
            return any(one.lab == self.lab.name and one.is_active for one in self.hypervisor.networks)
        return isinstance(self.engine, Engine) and any(one.is_ours for one in self.engine.containers)


def ok(name: str, seen: str) -> Check:
    return Check(name, "ok", seen)


def note(name: str, seen: str, mend: str = "") -> Check:
    return Check(name, "note", seen, mend)


def blocker(name: str, seen: str, mend: str) -> Check:
    return Check(name, "blocker", seen, mend)


def unseen(name: str, why: Unseen) -> Check:
    """What could not be told is a note; never ok."""
    return note(name, f"could not tell: {why.why}", why.mend)


def version_of(text: str) -> tuple[int, ...]:
    """The first number with dots in a text, () without one: "Vagrant 2.3.8.dev" is (2, 3, 8)."""
    for word in text.replace(",", " ").split():
        digits = word.lstrip("v").split("+")[0].split("-")[0].split(".")
        numbers = [int(part) for part in digits if part.isdigit()]
        if len(numbers) > 1 and digits[0].isdigit():
            return tuple(numbers)
    return ()


def distribution(os_release: str) -> tuple[str, str]:
    """ID and VERSION_ID of /etc/os-release, in small letters."""
    said = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', os_release, re.MULTILINE))
    return said.get("ID", "unknown system").lower(), said.get("VERSION_ID", "")


def number(release: str) -> int:
    """The year or number that a release begins with; a testing release, which has none, is the newest."""
    found = re.match(r"\d+", release)
    return int(found[0]) if found else 998
