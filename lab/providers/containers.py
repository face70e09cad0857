"""Nodes that are containers of this host's engine, found by the lab's mark whatever Vagrant has noted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
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
AUTHORIZED_KEYS = "/etc/lab/authorized_keys"  # where the Vagrantfile mounts this checkout's public key


def start(lab: Lab, say: Callable[[str], None]) -> str:
    return by_vagrant.start(lab, say, lambda: forget_unknown(lab, say))


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


def forget_unknown(lab: Lab, say: Callable[[str], None]) -> None:
    """Remove this checkout's machines that Vagrant has no record of: an `up` was cut short between the two.

    Their volumes stay. Raises HostError when another checkout made them: its lab may be in use.
    """
    known = {path.read_text().strip() for path in (dotfile() / "machines").glob("*/docker/id")}
    with closing(engine.connect()) as client:
        containers = client.containers.list(all=True, filters={"label": lab.label})
        _forget(lab, [container for container in containers if container.id not in known], say)


def _forget(lab: Lab, unknown: list[Any], say: Callable[[str], None]) -> None:
    others = _of_others(unknown)
    if others:
        raise made_elsewhere(lab, others)
    for container in unknown:
        say(f"{container.name}: Vagrant has no record of it; made again")
        _remove(container, {"force": True})


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
