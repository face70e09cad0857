"""`lab restore`: a checkpoint takes the place of what the nodes keep, and the lab is as it was saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deployments.checkpoints import by_provider, manifest, seen, shelf
from deployments.checkpoints.manifest import Manifest
from deployments.checkpoints.store import Weight
from lab import machines, named
from lab.errors import CheckFailed, HostError, TimedOut
from lab.model import Lab
from lab.shell import Shell
from lab.waiting import wait_until
from provisioning import health
from provisioning.stages import healths

Say = Callable[[str], None]
BOOT = 60.0  # seconds in which a node answers over SSH
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
    kind = by_provider.kind_of(lab)
    made_anew = kind.present(lab, say)
    _require_same_image(saved, kind.image_of(lab))
    with kind.opened(lab) as store:
        _require_whole(store.weigh(saved.id), saved)
        shelf.begin_restore(saved.name)
        store.put_back(saved.id)
    say("the nodes go on from what was saved")
    shells = machines.shells(lab)
    try:
        _wait_for_ssh(lab, saved)
        kind.come_back(lab, shells, saved, made_anew, say)
        health.wait(shells, healths(lab))
        say("every component answers")
        _require_same(lab, shells[lab.master.name], saved)
    finally:
        for shell in shells.values():
            shell.close()
    shelf.end_restore()
    return saved


def _require_same_image(saved: Manifest, image: str) -> None:
    if image != saved.image:
        raise CheckFailed(
            f'the nodes are of another image than when "{saved.name}" was saved',
            last_seen=f"{saved.image} then, {image} now",
            try_next=named.command(f"checkpoint rm {saved.name}"),
        )


def _require_whole(weights: Mapping[str, Weight], saved: Manifest) -> None:
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


def _wait_for_ssh(lab: Lab, saved: Manifest) -> None:
    wait_until(
        lambda: machines.answering(lab) == machines.names(lab),
        BOOT,
        "SSH on every node",
        try_next=named.command(f"restore {saved.name}"),
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
