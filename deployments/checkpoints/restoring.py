"""`lab restore`: a checkpoint takes the place of what the nodes keep, and the lab is as it was saved."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from typing import Any

import docker

from deployments.checkpoints import keepers, manifest, saving, seen, shelf
from deployments.checkpoints.keepers import DEFINITIONS, SETTINGS, STORE, Keeper
from deployments.checkpoints.manifest import Manifest
from lab import machines, named
from lab.errors import CheckFailed, HostError, TimedOut
from lab.model import Lab
from lab.providers import containers
from lab.shell import Shell, in_parallel
from lab.waiting import wait_until
from provisioning import build, health, provision
from provisioning.stages import healths

Say = Callable[[str], None]
BOOT = 60.0  # seconds in which a node answers over SSH
RESUMED = 120.0  # seconds in which the master has started the services after its boot
SETTLED = 45.0  # seconds in which the lab is seen as it was saved


def restore(lab: Lab, name: str, say: Say) -> Manifest:
    """The lab is as it was when `name` was saved. The caller holds the lab, in which no fault is open.

    Raises ConfigError for a name or another lab's checkpoint, CheckFailed for one that is not whole or of
    another lab file, HostError for a full disk, all with nothing changed. Later: CheckFailed with what
    differs from what was saved, TimedOut or LabError; then the lab is no good until a restore ends well.
    """
    saved = shelf.find(name)
    refused = manifest.refusal(saved, lab)
    if refused:
        raise refused
    with closing(keepers.connect()) as client:
        made_anew = _present(lab, client, saved, say)
        _put_back(lab, client, saved, say)
    shells = machines.shells(lab)
    try:
        _come_back(lab, shells, saved, made_anew, say)
    finally:
        for shell in shells.values():
            shell.close()
    shelf.end_restore()
    return saved


def _present(lab: Lab, client: docker.DockerClient, saved: Manifest, say: Say) -> set[str]:
    """Every node has a container that runs, or is paused; which had to be made anew.

    A node without one loses nothing by getting one: what it keeps is on volumes.
    """
    there = containers.nodes(lab, client)
    gone = machines.names(lab) - set(there)
    if not there:
        raise CheckFailed("the lab is not there", try_next=named.up_command())
    if gone:
        say("no container of " + ", ".join(sorted(gone)) + ": made anew")
        machines.up(lab, say)
    image = saving.image_of(lab, client)
    if image != saved.image:
        raise CheckFailed(
            f'the nodes are of another image than when "{saved.name}" was saved',
            last_seen=f"{saved.image} then, {image} now",
            try_next=named.command(f"checkpoint rm {saved.name}"),
        )
    keepers.each(containers.nodes(lab, client), _start)
    return set(gone)


def _start(container: Any) -> None:
    if container.status not in ("running", "paused"):
        container.start()


def _put_back(lab: Lab, client: docker.DockerClient, saved: Manifest, say: Say) -> None:
    nodes = containers.nodes(lab, client)
    with keepers.opened(lab, client) as opened:
        _require_whole(opened, saved)
        shelf.begin_restore(saved.name)
        keepers.each(nodes, _pause)
        keepers.on_all(opened, lambda keeper: keeper.work("restore", saved.id))
    say("what the nodes keep is as it was saved")
    keepers.each(nodes, _restart)
    say("the nodes start")


def _require_whole(opened: Mapping[str, Keeper], saved: Manifest) -> None:
    weights = keepers.on_all(opened, lambda keeper: keeper.weigh(saved.id))
    refused = manifest.unwhole(saved, {node: weight.digest for node, weight in weights.items()})
    if refused:
        raise refused
    for node, weight in weights.items():
        if weight.all > weight.free:
            raise HostError(
                "the host's disk has no room for what a restore writes",
                node=node,
                last_seen=f"{weight.all // 1024} MB to write, {weight.free // 1024} MB free",
                try_next="df -h; lab checkpoints",
            )


def _pause(container: Any) -> None:
    container.reload()
    if container.status != "paused":
        container.pause()


def _restart(container: Any) -> None:
    container.kill()  # what of it is paused ends without having gone on
    container.wait()
    container.start()


# --- the lab comes back -------------------------------------------------------------------------------------


def _come_back(
    lab: Lab, shells: Mapping[str, Shell], saved: Manifest, made_anew: Collection[str], say: Say
) -> None:
    wait_until(
        lambda: machines.answering(lab) == machines.names(lab),
        BOOT,
        "SSH on every node",
        try_next=named.command(f"restore {saved.name}"),
    )
    if made_anew:
        changes = provision.provision(lab, build.record(lab), shells, say)
        say(f"{len(changes)} changed on the nodes that were made anew")
    master = shells[lab.master.name]
    _wait_resumed(master)
    _start_others(lab, shells, saved)
    in_parallel(lambda node: _define(shells[node], saved), shells)
    health.wait(shells, healths(lab))
    say("every component answers")
    _require_same(lab, master, saved)


def _wait_resumed(master: Shell) -> None:
    """What starts services after a boot has ended: until then it would be in the way."""
    state = "systemctl show -P ActiveState lab-resume"
    queued = "systemctl list-jobs --no-legend | grep -c lab-resume"

    def has_ended() -> bool:
        said = master.run(f"{state}; {queued}", check=False, timeout=10).stdout.split()
        return said in (["inactive", "0"], ["failed", "0"])

    wait_until(has_ended, RESUMED, "the services to be started after the boot", node=master.node)


def _start_others(lab: Lab, shells: Mapping[str, Shell], saved: Manifest) -> None:
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


def _require_same(lab: Lab, master: Shell, saved: Manifest) -> None:
    """Raises CheckFailed with what is not as it was saved."""
    last: list[str] = []

    def is_same() -> bool:
        last[:] = seen.differences(saved.seen, seen.look(lab, master))
        return not last

    try:
        wait_until(is_same, SETTLED, "the lab to be as it was saved")
    except TimedOut as error:
        raise CheckFailed(
            f'the lab is not as it was when "{saved.name}" was saved',
            last_seen="\n".join(last) or error.last_seen,
            try_next=named.command(f"restore {saved.name}"),
        ) from error
