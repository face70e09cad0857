from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from lab import config
from lab.model import Lab
from provisioning import build
from provisioning.bundle import making, taking


def test_two_bundles_at_once_are_made_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, being_made = Event(), []
    monkeypatch.setenv("LAB_CACHE", str(tmp_path))
    monkeypatch.setattr(taking, "require_zstd", lambda: None)
    monkeypatch.setattr(build, "make", lambda *_: None)

    def say(line: str) -> None:
        assert line == "bundle-made: waiting for another process that is making it"
        waits.set()

    def make(_lab: Lab, file: Path, folder: Path, _say: object) -> Path:
        being_made.append(folder)
        assert waits.wait(10)
        assert (folder.is_dir(), len(being_made)) == (True, 1)
        being_made.remove(folder)
        return file

    monkeypatch.setattr(making, "_create", make)
    with ThreadPoolExecutor() as pool:
        files = [tmp_path / "one", tmp_path / "two"]
        assert list(pool.map(lambda file: making.create(config.load(), file, say), files)) == files
