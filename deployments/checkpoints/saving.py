"""`lab save`: what every node keeps is copied while all stand still, and then made a checkpoint at once."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

import docker

from deployments.checkpoints import keepers, seen, shelf
from deployments.checkpoints.keepers import Keeper
from deployments.checkpoints.manifest import Manifest, Part, lab_digest
from deployments.checkpoints.seen import Seen
from deployments.checkpoints.standstill import standstill
from lab import named
from lab.clients.consul import ConsulClient
from lab.clients.jenkins import JenkinsClient
from lab.errors import CheckFailed, HostError
from lab.model import Lab
from lab.providers import containers
from lab.shell import Shell
from lab.waiting import retry

Say = Callable[[str], None]
TRIES = 3
SETTLED = 20.0  # seconds in which a lab that stood still answers again


def refuse_provider(lab: Lab) -> None:
    """Raises HostError for a lab whose machines this cannot save."""
    if lab.provider != "docker":
        raise HostError(
            f"only nodes that are containers can be saved; those of {lab.name} come from {lab.provider}",
            try_next="a lab file with provider: docker",
        )


def save(lab: Lab, shells: Mapping[str, Shell], name: str, say: Say) -> Manifest:
    """The lab as it is now becomes the checkpoint `name`. The caller holds the lab, which is steady.

    Raises ConfigError for the name, CheckFailed where a deployment runs or the lab changes too fast,
    HostError for a full disk. The lab goes on in any case, and the other checkpoints stay.
    """
    shelf.refuse_taken(name)
    shelf.refuse_unended()
    known = [one.id for one in shelf.all_of_lab(say)]
    with closing(keepers.connect()) as client, keepers.opened(lab, client) as opened:
        image = image_of(lab, client)
        clear(opened, known)
        try:
            id = secrets.token_hex(6)
            told = _copied(lab, shells[lab.master.name], opened, say=say, id=id, known=known)
            weights = keepers.on_all(opened, lambda keeper: keeper.weigh(id))
            parts = {node: Part(weight.digest, weight.own) for node, weight in weights.items()}
            saved = Manifest(name, id, lab.name, lab_digest(lab), image, time.time(), parts, told)
            shelf.put(saved)
        except BaseException:
            clear(opened, known)
            raise
    return saved


def clear(opened: Mapping[str, Keeper], known: Sequence[str]) -> None:
    """Of the checkpoints on the nodes only these stay."""
    keepers.on_all(opened, lambda keeper: keeper.work("clear", known=known))


def image_of(lab: Lab, client: docker.DockerClient) -> str:
    """The image of the lab's nodes. Raises CheckFailed when they are not all of one."""
    found = {container.attrs["Image"] for container in containers.nodes(lab, client).values()}
    if len(found) != 1:
        raise CheckFailed(
            "the nodes are not all of one image",
            last_seen=", ".join(sorted(found)),
            try_next=f"{named.command('down')}; {named.up_command()}",
        )
    return str(found.pop())


def _copied(
    lab: Lab, master: Shell, opened: Mapping[str, Keeper], *, id: str, known: Sequence[str], say: Say
) -> Seen:
    """A copy on every node, and what was seen before it and after it alike."""
    for _ in range(TRIES):
        _refuse_busy(lab)
        before = seen.look(lab, master)
        begun = time.monotonic()
        with standstill([lab.machine(node) for node in opened]):
            keepers.on_all(opened, lambda keeper: keeper.work("save", id, known))
        say(f"the nodes stood still; {time.monotonic() - begun:.1f} s with what is around it")
        after = retry(lambda: seen.look(lab, master), SETTLED, "the lab to go on")
        changed = seen.differences(before, after)
        if not changed and not busy(lab):
            return before
        say("the lab changed meanwhile: " + "; ".join(changed[:3]))
        clear(opened, known)
    raise CheckFailed(
        f"the lab changed during {TRIES} tries to save it",
        last_seen="\n".join(changed),
        try_next="the same when nobody writes or deploys",
    )


def busy(lab: Lab) -> list[str]:
    """What is under way that would be cut in the middle, a line each."""
    consul = ConsulClient(lab)
    deployed = [service.name for service in lab.services if consul.is_locked(service.lock_key)]
    with closing(JenkinsClient(lab)) as jenkins:
        building = ["Jenkins has a build under way"] if jenkins.building() else []
    return [f"{name} is being deployed" for name in deployed] + building


def _refuse_busy(lab: Lab) -> None:
    under_way = busy(lab)
    if under_way:
        raise CheckFailed(
            "something is under way in the lab",
            last_seen="\n".join(under_way),
            try_next="the same when it has ended",
        )
