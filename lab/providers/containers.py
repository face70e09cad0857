"""Nodes that are containers of this host's engine, found by the lab's mark whatever Vagrant has noted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import docker

from lab import engine, keys
from lab.environment import dotfile
from lab.model import Lab
from lab.providers import by_vagrant, made_elsewhere
from lab.waiting import wait_until

# What outlives a node's container -> what the name of its volume ends with; the Vagrantfile says the same.
VOLUMES = {"engine": "", "data": "-data", "consul": "-consul"}
STILL = 20.0  # seconds in which a busy node's processes are frozen
# A node's host key is as old as its container, and it listens on this host alone.
WAY = """Host {node}
  HostName {address}
  Port {port}
  User vagrant
  IdentityFile "{key}"
  IdentitiesOnly yes
  PasswordAuthentication no
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel FATAL
"""
AUTHORIZED_KEYS = "/etc/lab/authorized_keys"  # where the Vagrantfile mounts this checkout's public key


def start(lab: Lab, say: Callable[[str], None]) -> str:
    by_vagrant.start(lab, say, lambda: forget_unfinished(lab, say))
    with closing(engine.connect()) as client:
        return "\n".join(way(node, container.attrs) for node, container in nodes(lab, client).items())


def way(node: str, container: Mapping[str, Any]) -> str:
    """How ssh reaches the node of this container: what `vagrant ssh-config` says, without its 3 s. Pure."""
    published, *_ = container["NetworkSettings"]["Ports"]["22/tcp"]
    return WAY.format(node=node, address=published["HostIp"], port=published["HostPort"], key=keys.private())


def remove(lab: Lab, say: Callable[[str], None]) -> list[str]:
    """Everything that carries the lab's mark, without any state file."""
    _remove_marked(lab, say)
    left = marked(lab)
    for machine in (dotfile() / "machines").glob("*/docker"):
        shutil.rmtree(machine, ignore_errors=True)
    if not left:
        engine.forget()
    return [f"{type(thing).__name__.lower()} {thing.name}" for thing in left]


def marked(lab: Lab) -> list[Any]:
    """Everything on this host's Docker engine that carries the lab's mark: containers, networks, volumes."""
    client = engine.connect()
    by_mark: dict[str, Any] = {"label": lab.label}
    return [
        *client.containers.list(all=True, filters=by_mark),
        *client.networks.list(filters=by_mark),
        *client.volumes.list(filters=by_mark),
    ]


def nodes(lab: Lab, client: docker.DockerClient) -> dict[str, Any]:
    """Node -> its container, of those that are there."""
    found = client.containers.list(all=True, filters={"label": lab.label})
    by_machine = {container.name: container for container in found}
    wanted = {node.name: lab.machine(node.name) for node in lab.nodes}
    return {node: by_machine[machine] for node, machine in wanted.items() if machine in by_machine}


def pause(container: Any) -> None:
    """The node stands still. Raises TimedOut with what the engine said last."""

    def is_paused() -> bool:
        container.reload()
        if container.status != "paused":
            container.pause()  # "unable to freeze": processes that begin others all the time; not yet
        return True

    wait_until(is_paused, STILL, "its processes to be frozen", node=container.name)


def key_of(mounts: Iterable[Mapping[str, Any]]) -> str:
    """The public key that opens the node with these mounts, a path on this host; empty for no node. Pure."""
    return next((str(mount["Source"]) for mount in mounts if mount["Destination"] == AUTHORIZED_KEYS), "")


def key_mounts(containers: Iterable[Any]) -> dict[str, str]:
    """Name of each container -> the public key of the checkout that made it, as a path on this host. Pure."""
    mounts = {container.name: key_of(container.attrs["Mounts"]) for container in containers}
    return {name: key for name, key in mounts.items() if key}


def checkout_of(key: str) -> Path:
    """The checkout whose public key this is: .lab/ssh/id_ed25519.pub of it. Pure."""
    return Path(key).parents[2]


def forget_unfinished(lab: Lab, say: Callable[[str], None]) -> None:
    """Remove this checkout's machines that an `up` which was cut short has left half made.

    Their volumes stay. Raises HostError when another checkout made them: its lab may be in use.
    """
    known = {path.read_text().strip() for path in (dotfile() / "machines").glob("*/docker/id")}
    addresses = {lab.machine(node.name): node.address for node in lab.nodes}
    with closing(engine.connect()) as client:
        found = client.containers.list(all=True, filters={"label": lab.label})
        lacks = {container: lacking(container, known, addresses) for container in found}
        unfinished = {container: what for container, what in lacks.items() if what}
        others = _of_others(unfinished)
        if others:
            raise made_elsewhere(lab, others)
        for container, what in unfinished.items():
            say(f"{container.name}: {what}; made again")
            _remove(container, {"force": True})


def lacking(container: Any, known: Collection[str], addresses: Mapping[str, str]) -> str:
    """What Vagrant had not come to with a machine, or "". Pure.

    `known` are the ids that it has noted; `addresses`, of each machine, are those in the lab's network, which
    it joins last.
    """
    if container.id not in known:
        return "Vagrant has no record of it"
    networks = container.attrs["NetworkSettings"]["Networks"].values()
    given = {(network["IPAMConfig"] or {}).get("IPv4Address") for network in networks}
    if addresses.get(container.name) not in {None, *given}:
        return "it never joined the lab's network"
    return ""


def _of_others(containers: Iterable[Any]) -> dict[str, Path]:
    """Name of each container that another checkout made -> the folder of that checkout."""
    own = str(keys.public())
    mounts = key_mounts(containers)
    return {name: checkout_of(key) for name, key in mounts.items() if key != own}


def _remove_marked(lab: Lab, say: Callable[[str], None]) -> None:
    # Containers first: networks and volumes cannot go while one uses them.
    things = marked(lab)
    for kind, options in (
        ("Container", {"force": True, "v": True}),
        ("Network", {}),
        ("Volume", {"force": True}),
    ):
        chosen = [thing for thing in things if type(thing).__name__ == kind]
        if chosen:
            say(f"removing {len(chosen)} {kind.lower()}s: " + ", ".join(thing.name for thing in chosen))
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(lambda thing, options=options: _remove(thing, options), chosen))


def _remove(thing: Any, options: dict[str, bool]) -> None:
    with suppress(docker.errors.NotFound):
        thing.remove(**options)
