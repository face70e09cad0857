"""What has been built on the host, in the words the roles need: programs, images, the registry's store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab.errors import LabError
from lab.model import Lab
from provisioning.build import artifacts, boxes, images

NODE_CACHE = Path("/lab-cache")  # where a node sees the host's cache, read-only
PROGRAMS = ("consul", "consul-template")
PLAYBOOKS = Path(__file__).parents[1] / "ansible"


@dataclass(frozen=True)
class Built:
    """Digests and places, as a node sees them.

    `programs`: name -> (digest, path). `images`: name -> digest. `store`: (digest, path).
    """

    programs: Mapping[str, tuple[str, str]]
    images: Mapping[str, str]
    store: tuple[str, str]


@dataclass(frozen=True)
class Thing:
    """What is built or fetched once: its kind and its name with the digest of what it is made from.

    `place` is its folder of the cache, None for the node image, which the engine holds; `is_there` looks.
    """

    name: str
    place: Path | None
    is_there: Callable[[], bool]


def record(lab: Lab) -> Built:
    """The record for this lab, from the inputs alone: nothing is built or fetched."""
    digests = {name: artifacts.inputs_digest(name) for name in PROGRAMS}
    store = images.store_path(lab)
    return Built(
        {
            name: (digest, str(NODE_CACHE / f"artifacts/{name}-{digest}/{name}"))
            for name, digest in digests.items()
        },
        {image.name: image.digest for image in images.wanted(lab)},
        (store.name, str(NODE_CACHE / "registry" / store.name)),
    )


def playbooks() -> tuple[str, str]:
    """Digest and place of the playbooks, as a machine sees them that is given its share of the cache."""
    digest = images.folder_digest(PLAYBOOKS)
    return digest, str(NODE_CACHE / f"ansible-{digest}")


def on_this_host(source: str) -> Path:
    """Where that is on this host, which a node sees as `source`."""
    if source == playbooks()[1]:
        return PLAYBOOKS
    return artifacts.cache_root() / Path(source).relative_to(NODE_CACHE)


def things(lab: Lab) -> tuple[Thing, ...]:
    """All that `make` sees to; reads files only."""
    programs = (
        Thing(
            f"programs/{artifacts.place(name).name}",
            artifacts.place(name),
            partial(artifacts.is_cached, name),
        )
        for name in artifacts.NAMES
    )
    store, node = images.store_path(lab), images.node_image()
    return (
        *programs,
        Thing(f"registry/store-{store.name}", store, store.is_dir),
        Thing(f"image/{node.name}-{node.digest}", None, images.node_is_built),
    )


def make(lab: Lab, progress: Callable[[str], None], bundle: str = "") -> None:
    """Build or fetch whatever the cache lacks; with the name of a bundle, say what lacks as an error instead.

    Raises LabError or HostError.
    """
    lacking = [thing.name for thing in things(lab) if not thing.is_there()] if bundle else []
    if lacking:
        raise LabError(
            f"{lacking[0]} is neither here nor in {bundle}, and with a bundle nothing is built or fetched",
            last_seen="lacking: " + ", ".join(lacking),
            try_next="with a network: lab bundle create FILE, or lab up",
        )
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda name: artifacts.obtain(name, progress), artifacts.NAMES))
    images.prepare(lab, progress)
    if lab.provider == "libvirt":
        boxes.prepare(progress)
