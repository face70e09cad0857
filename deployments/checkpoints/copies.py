"""Checkpoints of nodes that are containers: a copy of what each keeps, in a folder of its engine's volume."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import docker

from deployments.checkpoints import keepers, seen
from deployments.checkpoints.keepers import DEFINITIONS, SETTINGS, STORE, Keeper
from deployments.checkpoints.manifest import Manifest
from deployments.checkpoints.standstill import standstill
from deployments.checkpoints.store import Weight
from lab import machines, named
from lab.errors import CheckFailed
from lab.model import Lab
from lab.providers import containers
from lab.shell import Shell, in_parallel
from lab.waiting import wait_until
from provisioning import build, provision

Say = Callable[[str], None]
RESUMED = 120.0  # seconds in which the master has started the services after its boot


@dataclass(frozen=True)
class Copies:
    """A Store."""

    lab: Lab
    client: docker.DockerClient
    keepers: Mapping[str, Keeper]

    def clear(self, known: Sequence[str]) -> None:
        keepers.on_all(self.keepers, lambda keeper: keeper.work("clear", known=known))

    def take(self, id: str, known: Sequence[str]) -> None:
        with standstill(self.lab):
            keepers.on_all(self.keepers, lambda keeper: keeper.work("save", id, known))

    def weigh(self, id: str) -> dict[str, Weight]:
        return keepers.on_all(self.keepers, lambda keeper: keeper.weigh(id))

    def put_back(self, id: str) -> None:
        nodes = containers.nodes(self.lab, self.client)
        keepers.each(nodes, containers.pause)
        keepers.on_all(self.keepers, lambda keeper: keeper.work("restore", id))
        keepers.each(nodes, _restart)


@contextmanager
def opened(lab: Lab, *, beside: bool = True) -> Iterator[Copies]:
    with closing(keepers.connect()) as client, keepers.opened(lab, client, beside=beside) as made:
        yield Copies(lab, client, made)


def image_of(lab: Lab) -> str:
    """The image of the lab's nodes. Raises CheckFailed when they are not all of one."""
    with closing(keepers.connect()) as client:
        found = {container.attrs["Image"] for container in containers.nodes(lab, client).values()}
    if len(found) != 1:
        raise CheckFailed(
            "the nodes are not all of one image",
            last_seen=", ".join(sorted(found)),
            try_next=f"{named.command('down')}; {named.up_command()}",
        )
    return str(found.pop())


def present(lab: Lab, say: Say) -> set[str]:
    """Every node has a container that runs, or is paused; which had to be made anew.

    A node without one loses nothing by getting one: what it keeps is on volumes.
    """
    with closing(keepers.connect()) as client:
        there = containers.nodes(lab, client)
        gone = machines.names(lab) - set(there)
        if not there:
            raise CheckFailed("the lab is not there", try_next=named.up_command())
        if gone:
            say("no container of " + ", ".join(sorted(gone)) + ": made anew")
            machines.up(lab, say)
        keepers.each(containers.nodes(lab, client), _start)
    return set(gone)


def _start(container: Any) -> None:
    if container.status not in ("running", "paused"):
        container.start()


def _restart(container: Any) -> None:
    container.kill()  # what of it is paused ends without having gone on
    container.wait()
    container.start()


# --- after a restore: the nodes have booted -----------------------------------------------------------------


def come_back(
    lab: Lab, shells: Mapping[str, Shell], saved: Manifest, made_anew: Collection[str], say: Say
) -> None:
    if made_anew:
        changes = provision.provision(lab, build.record(lab), shells, say)
        say(f"{len(changes)} changed on the nodes that were made anew")
    _wait_resumed(shells[lab.master.name])
    _start_others(shells, saved)
    in_parallel(lambda node: _define(shells[node], saved), shells)


def _wait_resumed(master: Shell) -> None:
    """What starts services after a boot has ended: until then it would be in the way."""
    state = "systemctl show -P ActiveState lab-resume"
    queued = "systemctl list-jobs --no-legend | grep -c lab-resume"

    def has_ended() -> bool:
        said = master.run(f"{state}; {queued}", check=False, timeout=10).stdout.split()
        return said in (["inactive", "0"], ["failed", "0"])

    wait_until(has_ended, RESUMED, "the services to be started after the boot", node=master.node)


def _start_others(shells: Mapping[str, Shell], saved: Manifest) -> None:
    """What ran beside the live colors and their databases, which the master has started."""
    by_node: dict[str, list[str]] = {}
    for node, name in seen.running(saved.seen):
        by_node.setdefault(node, []).append(name)
    in_parallel(
        lambda node: shells[node].run("docker start " + shlex.join(by_node[node]), check=False), by_node
    )


def _define(shell: Shell, saved: Manifest) -> None:
    """The definitions by which Consul checks services: now, that these are back."""
    there = f"/var/lib/docker/{STORE}/{saved.id}/layer{SETTINGS}"
    shell.run(
        f"for file in {there}/{DEFINITIONS}; do\n"
        f'  if [ -e "$file" ]; then cp -a "$file" {SETTINGS}/; found=yes; fi\n'
        'done\nif [ "${found:-}" ]; then consul reload; fi'
    )
