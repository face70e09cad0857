"""Every lab of this host: found by the marks on its engine, whoever made it and from whichever checkout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import engine, environment
from lab.model import MARK
from lab.providers.containers import checkout_of, key_of


@dataclass(frozen=True)
class Found:
    """A lab that has containers here. `since` is when the first of them was made, in seconds of the epoch."""

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


def of_others(name: str) -> list[Found]:
    """The lab of this name when another checkout made it; one that is gone owns nothing."""
    return [one for one in here() if one.lab == name and not one.is_ours and one.checkout.is_dir()]


def here() -> list[Found]:
    """The labs on this host's engine. Raises HostError when it does not answer, or is not the lab's."""
    marked = {"label": MARK}
    with closing(engine.connect()) as client:
        return of(client.api.containers(all=True, filters=marked), client.api.networks(filters=marked))
