from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from lab import engine
from provisioning import build
from provisioning.build import images
from provisioning.bundle import debs, making
from tests.provisioning.bundle.bundles import LAB, Engine, Machine


def forbidden(*words: object) -> NoReturn:
    raise AssertionError("a unit test reached for the real engine")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path / "cache", Engine())
    monkeypatch.setenv("LAB_CACHE", str(made.cache))
    monkeypatch.setattr(build, "things", made.things)
    monkeypatch.setattr(build, "make", lambda lab, say, bundle="": None)
    monkeypatch.setattr(engine, "connect", forbidden)
    monkeypatch.setattr(images, "saved_node", made.engine.save)
    monkeypatch.setattr(images, "load_node", made.engine.load)
    monkeypatch.setattr(debs, "fetch", partial(_written, "rsync_3.2.7-1_amd64.deb"))
    monkeypatch.setattr(making, "fetch_wheels", partial(_written, f"docker-7.2.0-py3-none-{'any.' * 30}whl"))
    made.fill()
    return made


def _written(name: str, folder: Path) -> None:
    (folder / name).write_bytes(name.encode() * 100)


@pytest.fixture
def bundle(machine: Machine, tmp_path: Path) -> Path:
    """A bundle of the machine, which then has nothing any more."""
    file = tmp_path / "lab.bundle"
    making.create(LAB, file, lambda _: None)
    machine.empty()
    return file
