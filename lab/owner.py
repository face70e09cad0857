"""One owner a lab: who changes it as a whole holds it, and another is told who that is.

The hold is the kernel's lock on a file, so it is gone with its process however that ends. What the owner
runs itself, such as the `lab deploy` of a scenario, is the owner's: it finds the owner in its environment.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from lab import environment, named
from lab.errors import CheckFailed, shown

NAME = "LAB_OWNER"


@dataclass(frozen=True)
class Owner:
    """A process that holds the lab; `since` is in seconds of the wall clock."""

    pid: int
    command: str
    since: float

    @property
    def is_ours(self) -> bool:
        """Whether this process was begun by the owner."""
        return os.environ.get(NAME) == str(self.pid)

    def __str__(self) -> str:
        begun = time.strftime("%H:%M:%S", time.localtime(self.since))
        return f"process {self.pid}, {shown(self.command)}, since {begun}"


def file() -> Path:
    # Beside the lab's other state, which `lab down` removes while it holds the lab.
    name = f"owner-{named.chosen()}" if named.chosen() else "owner"
    return environment.STATE / f"{name}.lock"


@contextmanager
def held(say: Callable[[str], None], *, wait: bool = False, command: str = "") -> Iterator[None]:
    """Hold the lab. Raises CheckFailed that names its owner when another process is that; or waits for it.

    `command` is what the owner is called, if not as it was typed.
    """
    file().parent.mkdir(parents=True, exist_ok=True)
    with file().open("a+") as opened:
        owner = _taken(opened)
        if owner is not None and owner.is_ours:
            yield
            return
        if owner is not None:
            if not wait:
                raise _refusal(owner, "wait for its end, or the same command with --wait")
            say(f"waiting for {owner}")
            fcntl.flock(opened, fcntl.LOCK_EX)
        _write(opened, Owner(os.getpid(), command or shlex.join(sys.argv), time.time()))
        os.environ[NAME] = str(os.getpid())
        try:
            yield
        finally:
            del os.environ[NAME]
            opened.truncate(0)


def refuse_held() -> None:
    """Raises CheckFailed when another process holds the lab; does not hold it."""
    if not file().exists():
        return
    with file().open("a+") as opened:
        owner = _taken(opened)
        if owner is not None and not owner.is_ours:
            raise _refusal(owner, "wait for its end")


def _refusal(owner: Owner, try_next: str) -> CheckFailed:
    return CheckFailed("the lab is held by another command", last_seen=str(owner), try_next=try_next)


def _taken(opened: IO[str]) -> Owner | None:
    """Take the lock, or return who has it."""
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(opened)
    return None


def _read(opened: IO[str]) -> Owner:
    opened.seek(0)
    try:
        return Owner(**json.loads(opened.read()))
    except (ValueError, TypeError):  # it is just being written
        return Owner(0, "a command that has just begun", time.time())


def _write(opened: IO[str], owner: Owner) -> None:
    opened.truncate(0)
    opened.write(json.dumps(asdict(owner)))
    opened.flush()
