"""The root file system of every image: what a make that was killed left is gone with the next one."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from provisioning.build import images

MAKE = (images.FOLDERS / "base/make").read_text()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """In the place of /var/tmp."""
    made = tmp_path / "var-tmp"
    made.mkdir()
    return made


def make(played: Any, place: Path) -> CompletedProcess[str]:
    """A make that fails when it has made its folder."""
    (played.bin / "flock").symlink_to(shutil.which("flock") or pytest.fail("no flock on this host"))
    for name in ("mount", "umount", "chmod"):
        played.program(name)
    played.program("debootstrap", "exit 1")
    done: CompletedProcess[str] = played.run(
        MAKE, "bookworm", "amd64", "alone", places={"/var/tmp": str(place)}
    )
    assert played.calls("debootstrap") != [], done.stderr
    return done


def test_a_make_that_fails_leaves_nothing(played: Any, place: Path) -> None:
    assert make(played, place).returncode == 1
    assert list(place.iterdir()) == []


def test_what_a_killed_one_left_goes_and_what_another_one_makes_stays(played: Any, place: Path) -> None:
    (place / "bluegreen-lab-base.killed/var/lib").mkdir(parents=True)
    under_way, others = place / "bluegreen-lab-base.alive", place / "of-another-program"
    under_way.mkdir()
    others.mkdir()
    (place / "bluegreen-lab-base.link").symlink_to(others)
    lock = os.open(under_way, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make(played, place)
    finally:
        os.close(lock)
    assert {path.name for path in place.iterdir()} == {
        "bluegreen-lab-base.alive",
        "bluegreen-lab-base.link",
        "of-another-program",
    }
