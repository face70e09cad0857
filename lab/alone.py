"""One process at a time: the kernel's lock on a file, which is gone with its process however that ends."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.waiting import observed


@contextmanager
def alone(path: Path, waits: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold the lock of a file, which is made when it is not there; `waits` is called when another has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits()
            with observed(f"another process to be done with {path.stem}"):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield
