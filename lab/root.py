"""Root, for the one thing that Docker's group cannot do: sudo after a yes, never before it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence

from lab import named
from lab.errors import HostError

PROXIES = ("http_proxy", "https_proxy", "no_proxy")  # sudo drops them

_said_yes = False


def ask(why: str) -> None:
    """Return when commands may run as root: this is root, LAB_YES=1, or the user says yes. HostError else.

    `why` goes on "To ..., sudo is needed".
    """
    global _said_yes  # noqa: PLW0603  nobody is asked twice
    if os.geteuid() == 0 or _said_yes:
        return
    if shutil.which("sudo") is None:
        raise HostError(f"to {why}, root is needed, and sudo is not here", try_next="apt-get install sudo")
    _said_yes = os.environ.get("LAB_YES") == "1" or _answer(why)


def _answer(why: str) -> bool:
    if not sys.stdin.isatty():
        raise HostError(
            f"to {why}, sudo is needed, and there is no terminal to ask on",
            try_next=f"LAB_YES=1 {named.up_command()}",
        )
    sys.stderr.write(f"To {why}, sudo is needed. Go on? [y/N] ")
    sys.stderr.flush()
    if not sys.stdin.readline().strip().lower().startswith("y"):
        raise HostError(f"without sudo nobody can {why}", try_next="answer y, or run it once as root")
    return True


def as_root(command: Sequence[str]) -> list[str]:
    """The command as root runs it, the user's proxies included. `ask` comes first."""
    if os.geteuid() == 0:
        return list(command)
    proxies = [f"{name}={os.environ[name]}" for name in PROXIES if os.environ.get(name)]
    return ["sudo", "env", *proxies, *command]
