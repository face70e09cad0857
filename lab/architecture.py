"""Which machines nodes are made for."""

from __future__ import annotations

import platform

from lab.errors import HostError

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # as the kernel says it: as Debian and Go do


def architecture() -> str:
    """This machine's and so the nodes', as Debian and Go name it. HostError when no nodes are made for it."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise HostError(
            f"this machine is a {machine}; the lab's nodes are made for {' and '.join(ARCHITECTURES)}",
            try_next="another machine",
        )
    return ARCHITECTURES[machine]
