"""The lab's network on this host: is its subnet free, and is it really ours before anything is sent there.

`own_networks`, `clash` and `leads_to_lab` decide and are pure; the rest asks `ip` and
Docker.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_network
from typing import Any

from docker.errors import DockerException

from lab import engine, environment, named, virsh
from lab.alone import alone
from lab.errors import HostError
from lab.model import MARK, OWN_HOSTS, Lab
from lab.providers.own import access
from lab.waiting import stretched

# Routes wider than this are ways to everywhere (0.0.0.0/0, or a VPN's 0.0.0.0/1): the lab may lie inside.
WIDEST_OWNED = 8
OF_VIRTUALBOX = "vboxnet"  # how its devices are called
SECONDS = 10


@dataclass(frozen=True)
class Route:
    destination: str
    device: str


@dataclass(frozen=True)
class DockerNetwork:
    name: str
    subnet: str
    id: str
    labels: Mapping[str, str] = field(default_factory=dict)
    kind = "Docker"

    @property
    def bridge(self) -> str:
        return f"br-{self.id[:12]}"

    @property
    def lab(self) -> str | None:
        """The lab whose mark it carries."""
        return self.labels.get(MARK)


Network = DockerNetwork | virsh.Network


# --- deciding ---------------------------------------------------------------------------------------------


def own_networks(lab: Lab, networks: Iterable[Network]) -> list[Network]:
    """The networks that carry this lab's mark; another lab's mark is not ours."""
    return [network for network in networks if network.lab == lab.name]


def clash(lab: Lab, routes: Iterable[Route], networks: Iterable[Network]) -> str | None:
    """Who already owns a part of the lab's subnet, in words, or None when it is free or the lab's own.

    The network of machines of one's own is there before any lab.
    """
    if lab.provider == OWN_HOSTS:
        return None
    networks = list(networks)
    own = own_networks(lab, networks)
    for network in networks:
        if network not in own and network.subnet and _overlaps(lab, network.subnet):
            return f'the {network.kind} network "{network.name}" ({network.subnet})'
    bridges = {network.bridge for network in own}
    is_there = any(network.subnet == lab.subnet for network in own)
    for route in routes:
        if _is_ours(lab, route, bridges) or (is_there and _is_wider(lab, route)):
            continue
        if _overlaps(lab, route.destination):
            return f"the route to {route.destination} on {route.device or 'no device'}"
    return None


def _is_ours(lab: Lab, route: Route, bridges: set[str]) -> bool:
    """VirtualBox keeps no mark: a device of its own with exactly the lab's subnet is the lab's."""
    if lab.provider == "virtualbox":
        return route.device.startswith(OF_VIRTUALBOX) and route.destination == lab.subnet
    return route.device in bridges


def _is_wider(lab: Lab, route: Route) -> bool:
    """A way to more than the lab's subnet, as a VPN sets it: the kernel takes the lab's own, narrower one."""
    return (
        route.destination != "default"
        and IPv4Network(lab.subnet).prefixlen > ip_network(route.destination, strict=False).prefixlen
    )


def _overlaps(lab: Lab, destination: str) -> bool:
    if destination == "default":
        return False
    other = ip_network(destination, strict=False)
    return (
        isinstance(other, IPv4Network)
        and other.prefixlen >= WIDEST_OWNED
        and other.overlaps(IPv4Network(lab.subnet))
    )


def leads_to_lab(lab: Lab, device: str | None, networks: Iterable[Network]) -> bool:
    """Is the device, over which packets to the master leave this host, the lab's own?"""
    if not device:
        return False
    if lab.provider == "virtualbox":
        return device.startswith(OF_VIRTUALBOX)
    return device in {one.bridge for one in own_networks(lab, networks) if one.subnet == lab.subnet}


def parse_routes(text: str) -> list[Route]:
    """The answer of `ip -j route`; routes of several hops or to nowhere have no device."""
    return [Route(one["dst"], one.get("dev", "")) for one in json.loads(text or "[]")]


def parse_networks(answers: Iterable[Mapping[str, Any]]) -> list[DockerNetwork]:
    """What the engine says of its networks, one record a subnet."""
    return [
        DockerNetwork(one["Name"], config["Subnet"], one["Id"], one.get("Labels") or {})
        for one in answers
        for config in (one.get("IPAM") or {}).get("Config") or []
        if config.get("Subnet")
    ]


# --- doing ------------------------------------------------------------------------------------------------


def refuse_clash(lab: Lab) -> None:
    """HostError when someone else owns the lab's subnet; called before anything is made."""
    owner = clash(lab, host_routes(), host_networks(lab))
    if owner:
        raise HostError(
            f"the lab's subnet {lab.subnet} is taken on this host by {owner}",
            try_next=f"{named.command('down')}; then {named.up_command()}, which takes another subnet"
            if named.chosen()
            else "free it, or give the lab another subnet and other addresses in lab.yml",
        )


def settle(first: Lab) -> None:
    """Choose a free subnet for the lab that LAB names, unless it keeps one, and keep it.

    Raises HostError when none is free.
    """
    if not named.chosen() or named.kept():
        return
    with alone(environment.STATE / "subnets.lock"):
        others, routes, networks = named.kept_by_others(), host_routes(), host_networks(first)
        for subnet in named.candidates(first, named.chosen(), environment.ROOT):
            lab = named.renamed(first, named.chosen(), subnet)
            if str(subnet) not in others and clash(lab, routes, networks) is None:
                named.keep(subnet)
                return
    raise HostError(
        f"no subnet beside {first.subnet} is free for the lab {named.chosen()}", try_next="lab list, ip route"
    )


def is_present(lab: Lab) -> bool:
    """The lab's network is on this host, and packets to the master go into it and nowhere else.

    One's own machines are known by their host keys instead.
    """
    if lab.provider == OWN_HOSTS:
        return access.is_reached(lab)
    return leads_to_lab(lab, device_towards(lab.master.address), host_networks(lab))


def require_present(lab: Lab) -> None:
    if not is_present(lab):
        raise HostError(
            f"the lab's network is not on this host: nothing is sent to {lab.subnet}",
            try_next=named.up_command(),
        )


def host_routes() -> list[Route]:
    done = _ip("-j", "-4", "route")
    if done.returncode:
        raise HostError("the host's routes cannot be read: ip -j -4 route", last_seen=done.stderr)
    return parse_routes(done.stdout)


def device_towards(address: str) -> str | None:
    """The device over which a packet to the address would leave; asks the kernel, sends nothing."""
    done = _ip("-j", "route", "get", address)
    if done.returncode:
        return None
    return next((route.device for route in parse_routes(done.stdout)), None)


def _ip(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["ip", *arguments], capture_output=True, text=True, timeout=stretched(SECONDS), check=False
        )
    except FileNotFoundError as error:
        raise HostError("the program ip is not on this host", try_next="make lab-up") from error
    except subprocess.TimeoutExpired as error:
        raise HostError(f"ip {' '.join(arguments)} did not answer in {stretched(SECONDS):g} s") from error


def host_networks(lab: Lab) -> list[Network]:
    """The networks of what makes the lab's machines: the host's engine, or libvirt; none of the others."""
    if lab.provider == "libvirt":
        return [*virsh.networks()]
    return [*docker_networks()] if lab.provider == "docker" else []


def docker_networks() -> list[DockerNetwork]:
    """The networks of the host's engine."""
    try:
        with closing(engine.connect(SECONDS)) as client:
            return parse_networks([network.attrs for network in client.networks.list()])
    except (DockerException, OSError) as error:
        raise HostError("Docker does not answer", last_seen=str(error), try_next="make lab-up") from error
