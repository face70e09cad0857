"""Every lab of this host: found by the marks on its engine and in libvirt, whoever made it and wherever."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import engine, environment, machines, named, virsh
from lab.errors import HostError
from lab.model import MARK, Lab
from lab.providers.containers import checkout_of, key_of


@dataclass(frozen=True)
class Found:
    """A lab that has nodes here. `since` is when the first of them was made, in seconds of the epoch."""

    lab: str  # its name
    subnet: str  # empty when its network is gone
    running: int
    nodes: int
    checkout: Path
    since: float

    @property
    def is_ours(self) -> bool:
        """Whether this checkout made it."""
        return self.checkout == environment.STATE.parent

    @property
    def user(self) -> str:
        """Whose the checkout is."""
        try:
            return self.checkout.owner()
        except (KeyError, OSError):
            return "unknown"


def of(containers: Iterable[Mapping[str, Any]], networks: Iterable[Mapping[str, Any]]) -> list[Found]:
    """The labs, by what the engine's lists of containers and networks say. Pure."""
    subnets = {
        (network.get("Labels") or {}).get(MARK): config.get("Subnet", "")
        for network in networks
        for config in (network.get("IPAM") or {}).get("Config") or []
    }
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for container in containers:
        if key_of(container.get("Mounts") or ()):  # a node; a lab's other containers serve a build
            by_name.setdefault(container["Labels"][MARK], []).append(container)
    return [
        Found(
            lab=name,
            subnet=subnets.get(name, ""),
            running=sum(node["State"] == "running" for node in nodes),
            nodes=len(nodes),
            checkout=checkout_of(key_of(nodes[0]["Mounts"])),
            since=min(float(node["Created"]) for node in nodes),
        )
        for name, nodes in sorted(by_name.items())
    ]


def of_libvirt(domains: Iterable[virsh.Domain], networks: Iterable[virsh.Network]) -> list[Found]:
    """The labs of virtual machines; a network of theirs says from when and where they are. Pure."""
    domains, networks = list(domains), list(networks)
    by_name = {one.mark.lab: one for one in networks if one.mark and one.name == one.mark.lab}
    return [
        Found(
            lab=name,
            subnet=network.subnet,
            running=sum(one.is_running for one in domains if one.mark and one.mark.lab == name),
            nodes=sum(one.mark is not None and one.mark.lab == name for one in domains),
            checkout=network.mark.checkout,
            since=network.mark.since,
        )
        for name, network in sorted(by_name.items())
        if network.mark
    ]


def of_others(lab: Lab) -> list[Found]:
    """The lab of this name when another checkout made it; one that is gone owns nothing."""
    if lab.provider not in ("docker", "libvirt"):
        return []
    found = _of_this_libvirt() if lab.provider == "libvirt" else here()
    return [one for one in found if one.lab == lab.name and not one.is_ours and one.checkout.is_dir()]


def refuse_other_file(lab: Lab) -> None:
    """Raises HostError when this checkout's machines are those of a lab file with another name.

    Vagrant knows the first lab's machines by the checkout alone: it would take one lab's for the other's.
    """
    if named.chosen():
        return
    first = [one for one in here() if one.is_ours and not (environment.STATE / one.lab).is_dir()]
    others = [one.lab for one in first if one.lab != lab.name]
    if others:
        raise machines.other_file(others[0], lab)


def here() -> list[Found]:
    """The labs of this host. Raises HostError when its engine does not answer, or is not the lab's.

    A host without libvirt, or with one that does not answer this user, has no labs of it.
    """
    found = _of_this_engine()
    with suppress(HostError):
        found += _of_this_libvirt()
    return sorted(found, key=lambda one: one.lab)


def _of_this_libvirt() -> list[Found]:
    return of_libvirt(virsh.domains(), virsh.networks())


def _of_this_engine() -> list[Found]:
    marked = {"label": MARK}
    with closing(engine.connect()) as client:
        return of(client.api.containers(all=True, filters=marked), client.api.networks(filters=marked))
