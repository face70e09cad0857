"""Which worker of pytest-xdist plays what, and on which lab. Pure."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

LAB_KIB = 1_300 * 1024  # what a lab takes while scenarios are played on it: docs/testing.md
LABS_A_CORE = 1  # a deployment by Ansible keeps one busy
NO_FOLDER = "pyexecnetcache"  # where xdist's workers on another host are unless one says so
ALONE = "features/chaos/crash"  # what is played alone
WHY_ALONE = "it cuts commands at moments of a quiet machine, and an `up` that was cut may move a lab"


def names(first: str, chosen: str) -> Iterator[str]:
    """The labs of a run, without end: the one it is run on, then labs beside it. As LAB names them."""
    yield chosen
    for number in count(2):
        yield f"{first}-{number}"


def names_there(first: str, place: str) -> Iterator[str]:
    """The labs of a run in another checkout: no other checkout of its host calls its labs so."""
    own = hashlib.sha256(place.encode()).hexdigest()[:4]
    for number in count(1):
        yield f"{first}-{own}-{number}"


def fitting(available_kib: int, up: int) -> int:
    """How many labs the memory carries, `up` of which run already. At least one."""
    return max(1, up + available_kib // LAB_KIB)


def chosen_by(available_kib: int, up: int, cores: int) -> int:
    """How many labs `-n auto` means."""
    return max(1, min(fitting(available_kib, up), cores * LABS_A_CORE))


def ordered(items: Sequence[pytest.Item], seconds: Mapping[str, float]) -> list[pytest.Item]:
    """The longest first, by what each took the last time; one that is new is taken for long."""
    return sorted(items, key=lambda item: -seconds.get(item.nodeid, float("inf")))


def is_alone(path: Path) -> bool:
    """Whether the tests of a file, or of a folder, are not played beside other labs."""
    return f"/{ALONE}/" in f"{path.as_posix()}/"


def paths(words: Sequence[str], folder: Path) -> list[Path]:
    """Those of pytest's words that are files or folders, seen from a folder; also before a `::`."""
    found = (folder / word.partition("::")[0] for word in words)
    return [path for path in found if os.path.exists(path)]  # which a word too long for a path is not


def available_kib(meminfo: str) -> int:
    """MemAvailable of /proc/meminfo."""
    return next(
        (int(line.split()[1]) for line in meminfo.splitlines() if line.startswith("MemAvailable:")), 0
    )


def is_here(spec: Any) -> bool:
    """Whether a worker of this spec, which is what --tx says, is of this checkout and shares its state."""
    return bool(spec.popen) and not spec.chdir


def place_of(spec: Any) -> str:
    """Where a worker is, in words; "" for here."""
    if is_here(spec):
        return ""
    return " in ".join(filter(None, (spec.ssh or spec.socket or "this host", spec.chdir)))
