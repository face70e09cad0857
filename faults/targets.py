"""Targets by meaning: "the live color", "the node of the database", "a minority".

`look` asks the lab once and answers a Snapshot; `resolve` is pure.
"""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lab import named
from lab.errors import CheckFailed, ConfigError, LabError, nearest
from lab.model import COLORS, DATABASE, Lab, Service, other
from lab.shell import Shell, in_parallel
from lab.waiting import limit

# Containers that the lab has once, by the words for them.
PARTS = {"nginx": "nginx", "Jenkins": "jenkins", "the Swarm manager": "swarm-master"}
MEANINGS = (
    "the live color",
    "the idle color",
    "the database",
    *PARTS,
    "the master",
    "any node",
    "a spare node",
    "every node",
    "a minority",
    "all but the master",
    "the node of ...",
)
LISTING = "docker ps -a --no-trunc --format '{{json .}}'"


@dataclass(frozen=True)
class Container:
    """A container as its node's engine knows it; `ports` are those published on the node, lowest first."""

    name: str
    id: str
    node: str
    state: str
    ports: tuple[int, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """The lab at one moment: who answers, which container is where, which color is live."""

    master: str
    nodes: tuple[str, ...]
    services: tuple[Service, ...]  # the main one first
    answering: frozenset[str]
    containers: tuple[Container, ...]
    live: Mapping[str, str]  # service -> its live color; none before its first deployment

    def on(self, node: str) -> list[Container]:
        return [one for one in self.containers if one.node == node]

    def owner(self, container: str) -> Service | None:
        """The service that a container is a part of."""
        return next((service for service in self.services if service.owns(container)), None)


@dataclass(frozen=True)
class Found:
    """What a target meant: its nodes, and the container when it is one."""

    asked: str
    nodes: tuple[str, ...]
    container: Container | None = None
    groups: tuple[tuple[str, ...], ...] = ()

    @property
    def on(self) -> tuple[str, ...]:
        """The names that no other fault may hold at the same time."""
        if self.container:
            return (f"{self.container.name} on {self.container.node}",)
        return self.nodes


# --- deciding ---------------------------------------------------------------------------------------------


def resolve(snapshot: Snapshot, target: str, chance: random.Random) -> Found:
    """The nodes or the container a target means now; every choice is `chance`'s, so a seed repeats it."""
    nodes = _nodes(snapshot, target, chance)
    if nodes is not None:
        return Found(target, nodes)
    if target.startswith("the node of "):
        inner = resolve(snapshot, target.removeprefix("the node of "), chance)
        return Found(target, inner.nodes)
    return _container(snapshot, target)


def _nodes(snapshot: Snapshot, target: str, chance: random.Random) -> tuple[str, ...] | None:
    others = tuple(sorted(name for name in snapshot.nodes if name != snapshot.master))
    meanings: dict[str, Callable[[], tuple[str, ...]]] = {
        "the master": lambda: (snapshot.master,),
        "any node": lambda: (chance.choice(others),),  # of those that may carry services
        "a spare node": lambda: (chance.choice(_spare(snapshot, others)),),  # that carries none now
        "every node": lambda: snapshot.nodes,
        "a minority": lambda: tuple(sorted(chance.sample(others, (len(snapshot.nodes) - 1) // 2))),
        "all but the master": lambda: others,
    }
    if target in meanings:
        return meanings[target]()
    return (target,) if target in snapshot.nodes else None


def _spare(snapshot: Snapshot, others: tuple[str, ...]) -> list[str]:
    busy = {one.node for one in snapshot.containers if one.state == "running" and snapshot.owner(one.name)}
    spare = [node for node in others if node not in busy]
    if not spare:
        raise CheckFailed("every node carries a part of the service: none is spare", try_next="any node")
    return spare


def _container(snapshot: Snapshot, target: str) -> Found:
    name, _, node = target.partition(" on ")
    wanted = _container_name(snapshot, name)
    there = [
        one
        for one in snapshot.containers
        if one.name == wanted and (not node or one.node == node) and not _shadowed(snapshot, one)
    ]
    if not there:
        known = {*snapshot.nodes, *MEANINGS, *(one.name for one in snapshot.containers)}
        unseen = sorted(set(snapshot.nodes) - snapshot.answering)
        silent = f" ({', '.join(unseen)} did not answer)" if unseen else ""
        meant = f', which means "{wanted}",' if wanted != name else ""
        raise ConfigError(
            f'the target "{target}"{meant} matches nothing{silent}{nearest(target, known - {target})}',
            try_next="one of: " + ", ".join((*MEANINGS, *snapshot.nodes)),
        )
    if len(there) > 1:
        raise ConfigError(
            f'the target "{target}" matches {len(there)} containers',
            try_next=f"{name} on {there[0].node}",
        )
    return Found(target, (there[0].node,), there[0])


def _shadowed(snapshot: Snapshot, one: Container) -> bool:
    """A leftover: stopped, while one of the same name runs elsewhere and belongs to a service."""
    return (
        one.state != "running"
        and snapshot.owner(one.name) is not None
        and any(other.name == one.name and other.state == "running" for other in snapshot.containers)
    )


def _container_name(snapshot: Snapshot, words: str) -> str:
    if words in PARTS:
        return PARTS[words]
    word, _, name = words.partition(" of ")
    service = next((one for one in snapshot.services if one.name == name), snapshot.services[0])
    if words not in (word, f"{word} of {service.name}"):
        return words
    if word == "the database":
        return service.container(DATABASE)
    if word not in ("the live color", "the idle color"):
        return words
    live = snapshot.live.get(service.name)
    if live is None:
        raise CheckFailed(
            f'"{words}" cannot be told: Consul names no live color', try_next=named.command("status")
        )
    return service.container(live if word == "the live color" else other(live))


def parse_containers(node: str, listing: str) -> list[Container]:
    """The lines of LISTING as records."""
    found = []
    for line in listing.splitlines():
        told = json.loads(line)
        ports = {int(port) for port in re.findall(r":(\d+)->", told["Ports"])}
        found.append(Container(told["Names"], told["ID"], node, told["State"], tuple(sorted(ports))))
    return found


def parse_colors(services: Iterable[Service], keys: str) -> dict[str, str]:
    """Consul's keys below `services/`, as it answers them, as the live color of each service."""
    entries = json.loads(keys or "[]")
    words = {one["Key"]: base64.b64decode(one["Value"] or "").decode(errors="replace") for one in entries}
    found = {service.name: words.get(service.color_key, "") for service in services}
    return {name: color for name, color in found.items() if color in COLORS}


# --- doing ------------------------------------------------------------------------------------------------


def look(lab: Lab, shells: Mapping[str, Shell]) -> Snapshot:
    """One round trip a node. A node or engine that does not answer is told by `answering`."""
    colors = f"curl -fsS -m {limit(2)} 'http://localhost:8500/v1/kv/services/?recurse'"

    def ask(node: str) -> str | None:
        script = f"timeout {limit(5)} {LISTING} 2>/dev/null"
        if node == lab.master.name:
            script += f"; echo; {colors} 2>/dev/null; true"
        try:
            return shells[node].run(script, check=False, timeout=15).stdout
        except LabError:
            return None

    answers = in_parallel(ask, [node.name for node in lab.nodes])
    live: dict[str, str] = {}
    if answers[lab.master.name] is not None:
        listing, _, keys = str(answers[lab.master.name]).rpartition("\n")
        answers[lab.master.name] = listing
        live = parse_colors(lab.services, keys)
    return Snapshot(
        master=lab.master.name,
        nodes=tuple(node.name for node in lab.nodes),
        services=lab.services,
        answering=frozenset(node for node, answer in answers.items() if answer is not None),
        containers=tuple(
            one for node, answer in answers.items() for one in parse_containers(node, (answer or "").strip())
        ),
        live=live,
    )
