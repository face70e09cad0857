"""Where the machines of a lab come from. A provider is one module with two functions:

start(lab, say) -> every machine runs; the SSH configuration that leads to them
remove(lab, say) -> what is left of them, in words; nothing when all went well
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab import named
from lab.errors import HostError
from lab.model import Lab


def made_elsewhere(lab: Lab, others: Mapping[str, Path]) -> HostError:
    """The refusal of a lab of which another checkout made a part: `others` are those, and the checkouts."""
    return HostError(
        f"a lab named {lab.name} is here already, made from another folder",
        last_seen="\n".join(f"{name} is of {folder}" for name, folder in others.items()),
        try_next=f"there: `{named.command('down')}`; then `{named.command('up')}`",
    )
