"""The kind of store that a lab's provider has."""

from __future__ import annotations

from types import ModuleType

from deployments.checkpoints import copies, snapshots
from lab.errors import HostError
from lab.model import Lab

KINDS: dict[str, ModuleType] = {"docker": copies, "libvirt": snapshots}


def kind_of(lab: Lab) -> ModuleType:
    """Raises HostError for a lab whose machines cannot be saved."""
    try:
        return KINDS[lab.provider]
    except KeyError:
        raise HostError(
            f"machines of {lab.provider} cannot be saved, and those of {lab.name} are",
            try_next=f"a lab file with provider: {' or '.join(KINDS)}",
        ) from None
