"""The kind of store that a lab's provider has."""

from __future__ import annotations

from types import ModuleType

from deployments.checkpoints import copies, snapshots
from lab.errors import HostError
from lab.model import Lab

STORES: dict[str, ModuleType] = {"docker": copies, "libvirt": snapshots}


def of(lab: Lab) -> ModuleType:
    """Raises HostError for a lab whose machines cannot be saved."""
    try:
        return STORES[lab.provider]
    except KeyError:
        raise HostError(
            f"machines of {lab.provider} cannot be saved, and those of {lab.name} are",
            try_next=f"a lab file with provider: {' or '.join(STORES)}",
        ) from None
