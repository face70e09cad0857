"""A host that is one process of this machine: the number of it is in its file `pid`."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from lab.errors import HostError, LabError, TimedOut
from lab.waiting import wait_until
from tests.hosts.machine import Host, answers, ssh

OFF_SECONDS = 90


def pid(host: Host) -> int | None:
    """The process that runs this host: the number in its file, if it still names the folder."""
    try:
        number = int(host.file("pid").read_text())
        words = Path(f"/proc/{number}/cmdline").read_text()
    except (OSError, ValueError):
        return None
    return number if str(host.folder) in words else None


def is_on(host: Host) -> bool:
    return pid(host) is not None


def require_disk(host: Host) -> None:
    """Raises HostError when `disk` was not done."""
    if not host.file("disk.img").is_file():
        raise HostError(f"{host.name} has no disk", try_next=f"tests/hosts/host {host.name} disk")


def in_time(check: Callable[[], bool], seconds: float, what: str) -> bool:
    """Whether it came about within so many seconds."""
    try:
        wait_until(check, seconds, what)
    except TimedOut:
        return False
    return True


def wait_for_ssh(host: Host, seconds: float) -> None:
    """Raises LabError when the process ends before it, or the time does."""
    wait_until(
        lambda: _speaks(host), seconds, f"SSH of {host.name}",
        evidence=lambda: host.file("serial.log").read_text(errors="replace")[-2000:],
    )  # fmt: skip


def _speaks(host: Host) -> bool:
    if not is_on(host):
        raise LabError(f"{host.name} ended", try_next=f"less {host.file('serial.log')}")
    return answers(host)


def off(host: Host, *, at_once: bool = False) -> None:
    """Shut the host down, or cut its power; nothing to do when it is off."""
    if is_on(host) and not at_once:
        subprocess.run([*ssh(host, "root"), "systemctl poweroff"], capture_output=True, check=False)
        at_once = not _ended(host)
    if at_once and (number := pid(host)) is not None:
        os.kill(number, signal.SIGTERM)
        if not _ended(host):
            raise LabError(f"the process of {host.name} does not end", try_next=f"kill -9 {number}")
    host.file("pid").unlink(missing_ok=True)


def _ended(host: Host) -> bool:
    return in_time(lambda: not is_on(host), OFF_SECONDS, f"{host.name} to end")
