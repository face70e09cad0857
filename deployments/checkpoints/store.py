"""Where checkpoints lie: of containers as copies beside them, of virtual machines as snapshots of them.

A kind of store is one module with four functions and a `Store`:

image_of(lab) -> what the nodes were made of
present(lab, say) -> every node is there, whatever its state; the names of those that had to be made anew
opened(lab, beside=True) -> a context with the lab's Store; `beside` nodes that are there
come_back(lab, shells, saved, made_anew, say) -> after `put_back`: the lab is ready for its health gates
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

SPARE_KB = 256 * 1024  # what a save leaves free on the host's disk


@dataclass(frozen=True)
class Weight:
    """What a node has of a checkpoint; kB."""

    digest: str  # "none" where it has nothing of it
    own: int  # what it alone takes
    all: int  # what a restore writes
    free: int


class Store(Protocol):
    """The checkpoints of one lab, each by its id. Raises HostError for a full disk, LabError for all else."""

    def clear(self, known: Sequence[str]) -> None:
        """Only these stay; a user's own copies and snapshots are none of them."""

    def take(self, id: str, known: Sequence[str]) -> None:
        """All nodes stand still, are kept as they are, and go on."""

    def weigh(self, id: str) -> Mapping[str, Weight]:
        """By node."""

    def put_back(self, id: str) -> None:
        """Every node goes on from what was kept."""
