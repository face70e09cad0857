"""Labs beside the first: `lab -n NAME` is the lab of lab.yml under another name, in a subnet of its own.

Which subnet that is, is chosen at its first `lab up`, kept with the rest of its state, and forgotten by
`lab down`. `renamed` and `candidates` decide and are pure.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from lab import environment
from lab.errors import HostError
from lab.model import MARK, PRIVATE, Lab

CANDIDATES = 40  # subnets that are tried for a lab


def chosen() -> str:
    """The name of the lab that LAB or `-n` names; empty for the first one."""
    return os.environ.get(environment.LAB, "")


@contextmanager
def used(name: str) -> Iterator[None]:
    """LAB names this lab meanwhile, for this process and its children; the first one when empty."""
    before = chosen()
    os.environ[environment.LAB] = name
    try:
        yield
    finally:
        os.environ[environment.LAB] = before


def command(words: str, name: str | None = None) -> str:
    """The `lab` command of these words as one types it for the lab of a name; else for the one LAB names."""
    name = chosen() if name is None else name
    return f"lab -n {name} {words}" if name else f"lab {words}"


def up_command() -> str:
    """What one types to bring the lab up that LAB names: for the first one what also mends the host."""
    return command("up") if chosen() else "make lab-up"


def renamed(lab: Lab, name: str, subnet: IPv4Network) -> Lab:
    """The same lab, each address at the same place of another subnet. Pure."""
    moved = int(subnet.network_address) - int(IPv4Network(lab.subnet).network_address)
    nodes = tuple(
        replace(node, address=str(IPv4Address(int(IPv4Address(node.address)) + moved))) for node in lab.nodes
    )
    return replace(lab, name=name, subnet=str(subnet), nodes=nodes)


def candidates(first: Lab, name: str, checkout: Path) -> Iterator[IPv4Network]:
    """The subnets for a lab of this name, best first: private ones after the first lab's, of its size. Pure.

    Where they begin differs by name and checkout, so that two that look at once seldom want the same.
    """
    own = IPv4Network(first.subnet)
    begin = int.from_bytes(hashlib.sha256(f"{checkout}/{name}".encode()).digest()[:4])
    for number in range(CANDIDATES):
        step = (begin + number) % CANDIDATES + 1
        try:
            subnet = IPv4Network((int(own.network_address) + step * own.num_addresses, own.prefixlen))
        except ValueError:  # beyond the last address there is
            continue
        if any(subnet.subnet_of(private) for private in PRIVATE):
            yield subnet


def beside(first: Lab, name: str) -> Lab:
    """The lab of this name: in the subnet that it keeps, or in the first that `lab up` will try."""
    subnet = kept() or next(candidates(first, name, environment.ROOT), None)
    if subnet is None:
        raise HostError(
            f"there is no subnet beside {first.subnet} for the lab {name}",
            try_next="in lab.yml a subnet with private ones after it",
        )
    if not _is_beside(subnet, first):
        raise HostError(
            f"the lab {name} keeps the subnet {subnet}, which is not beside {first.subnet} of the lab file",
            try_next=f"the lab file as it was then; or, when nothing is left of {name}: rm {_file()}",
        )
    return renamed(first, name, subnet)


def _is_beside(subnet: IPv4Network, first: Lab) -> bool:
    """Whether each address of the first lab has its place there, and all of them are private. Pure."""
    is_private = any(subnet.subnet_of(private) for private in PRIVATE)
    return is_private and subnet.prefixlen == IPv4Network(first.subnet).prefixlen


def _file() -> Path:
    return environment.lab_state() / "subnet"


def kept() -> IPv4Network | None:
    """The subnet that was chosen at the lab's first `lab up`. Raises HostError when nobody can tell."""
    try:
        return IPv4Network(_file().read_text().strip())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise HostError(
            f"{_file()} cannot be read, so nobody knows the subnet of the lab {chosen()}",
            last_seen=str(error),
            try_next=f"docker network ls --filter label={MARK}={chosen()}, and write its subnet there",
        ) from error


def keep(subnet: IPv4Network) -> None:
    _file().parent.mkdir(parents=True, exist_ok=True)
    _file().write_text(f"{subnet}\n")


def kept_by_others() -> set[str]:
    """The subnets of the other named labs of this checkout, up or not."""
    files = (file for file in environment.STATE.glob("*/subnet") if file != _file())
    return {file.read_text().strip() for file in files}


def names() -> set[str]:
    """The named labs of this checkout that have a subnet, up or not."""
    return {file.parent.name for file in environment.STATE.glob("*/subnet")}


def forget() -> None:
    """All that this checkout keeps of a named lab that was taken down; the first lab's stays."""
    if chosen():
        shutil.rmtree(environment.lab_state(), ignore_errors=True)
