"""`lab save`: what every node keeps is taken while all stand still, and then made a checkpoint at once."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress

from deployments.checkpoints import by_provider, seen, shelf
from deployments.checkpoints.manifest import Manifest, Part, lab_digest
from deployments.checkpoints.seen import Seen
from deployments.checkpoints.store import Store
from lab.clients.consul import ConsulClient
from lab.clients.jenkins import JenkinsClient
from lab.errors import CheckFailed, LabError
from lab.model import Lab
from lab.shell import Shell
from lab.waiting import retry

Say = Callable[[str], None]
TRIES = 3
SETTLED = 20.0  # seconds in which a lab that stood still answers again


def save(lab: Lab, shells: Mapping[str, Shell], name: str, say: Say) -> Manifest:
    """The lab as it is now becomes the checkpoint `name`. The caller holds the lab, which is steady.

    Raises ConfigError for the name, CheckFailed where a deployment runs or the lab changes too fast,
    HostError for a full disk. The lab goes on in any case, and the other checkpoints stay.
    """
    shelf.refuse_taken(name)
    shelf.refuse_unended()
    kind = by_provider.kind_of(lab)
    known = [one.id for one in shelf.all_of_lab(say)]
    image = kind.image_of(lab)
    with kind.opened(lab) as store:
        store.clear(known)
        try:
            id = secrets.token_hex(6)
            told = _taken(lab, shells[lab.master.name], store, say=say, id=id, known=known)
            parts = {node: Part(weight.digest, weight.own) for node, weight in store.weigh(id).items()}
            saved = Manifest(name, id, lab.name, lab_digest(lab), image, time.time(), parts, told)
            shelf.put(saved)
        except BaseException:
            with suppress(LabError):  # why there is none is what is told; the next save clears again
                store.clear(known)
            raise
    return saved


def _taken(lab: Lab, master: Shell, store: Store, *, id: str, known: Sequence[str], say: Say) -> Seen:
    """All nodes are kept as they are, and what was seen before it and after it is alike."""
    for _ in range(TRIES):
        _refuse_busy(lab)
        before = seen.look(lab, master)
        begun = time.monotonic()
        store.take(id, known)
        say(f"the nodes stood still; {time.monotonic() - begun:.1f} s with what is around it")
        after = retry(lambda: seen.look(lab, master), SETTLED, "the lab to go on")
        changed = seen.differences(before, after)
        if not changed and not busy(lab):
            return before
        say("the lab changed meanwhile: " + "; ".join(changed[:3]))
        store.clear(known)
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
