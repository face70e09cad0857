"""What is kept, read again: nothing of it may hold up who reads, or be more than can be told.

A device has no end, and a pipe waits for somebody who writes.
"""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

DEEPEST = 40  # objects and lists in one another; nothing that is written here has so many


def content(path: Path) -> bytes:
    """Raises OSError, also for what is there and is no file."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "it is not a file", str(path))
    return path.read_bytes()


def plain(text: str) -> Any:
    """What JSON says. Raises ValueError or RecursionError, also for more in one another than can be shown."""
    said = json.loads(text)
    if not _is_flat(said, DEEPEST):
        raise ValueError("brackets in brackets without end")
    return said


def _is_flat(value: Any, most: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return most > 0 and all(_is_flat(one, most - 1) for one in inner if isinstance(one, dict | list))
