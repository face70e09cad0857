"""Virtual machines of VirtualBox; Vagrant alone knows them."""

from __future__ import annotations

from collections.abc import Callable

from lab.model import Lab
from lab.providers import by_vagrant


def start(lab: Lab, say: Callable[[str], None]) -> str:
    by_vagrant.start(lab, say)
    return by_vagrant.ssh_config(say)


def remove(lab: Lab, say: Callable[[str], None]) -> list[str]:
    by_vagrant.destroy()
    return []
