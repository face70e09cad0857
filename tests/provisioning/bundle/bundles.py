"""A lab of tiny programs, a tiny registry and a played engine, and bundles of it."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import IO, NoReturn

import pytest

from lab import config, engine
from provisioning import build
from provisioning.build import Thing, images
from provisioning.bundle import debs, making, manifest, serve

LAB = config.load(config.LAB_FILE)
NODE = b"the node image " * 1000


class Engine:
    """Holds the node image, or not; what it refuses it does not hold."""

    def __init__(self) -> None:
        self.held: bytes | None = NODE
        self.refuses: Exception | None = None

    def is_there(self) -> bool:
        return self.held is not None

    def save(self) -> Iterator[bytes]:
        assert self.held is not None
        yield self.held

    def load(self, saved: IO[bytes]) -> None:
        content = saved.read()
        if self.refuses:
            raise self.refuses
        self.held = content


@dataclass
class Machine:
    """This machine as `build` knows it: a cache, an engine."""

    cache: Path
    engine: Engine

    def places(self) -> dict[str, Path]:
        return {
            "programs/consul-0123456789ab": self.cache / "artifacts/consul-0123456789ab",
            "programs/wheels-ab0123456789": self.cache / "artifacts/wheels-ab0123456789",
            "registry/store-cdef01234567": self.cache / "registry/cdef01234567",
        }

    def things(self, lab: object) -> tuple[Thing, ...]:
        folders = (Thing(name, place, place.is_dir) for name, place in self.places().items())
        return (*folders, Thing("image/node-89abcdef0123", None, self.engine.is_there))

    def fill(self) -> None:
        for name, place in self.places().items():
            (place / "inside").mkdir(parents=True)
            (place / "program").write_text(f"the program of {name}")
            (place / "program").chmod(0o755)
            (place / "inside/data").write_bytes(bytes(range(256)) * 20)

    def empty(self) -> None:
        shutil.rmtree(self.cache)
        self.engine.held = None

    def content(self) -> dict[str, tuple[bytes, bool]]:
        """Every file of the cache, and whether it can be run; locks aside."""
        files = (file for file in sorted(self.cache.rglob("*")) if file.is_file())
        return {
            str(file.relative_to(self.cache)): (file.read_bytes(), bool(file.stat().st_mode & 0o100))
            for file in files
            if file.suffix != ".lock"
        }


Entries = list[tuple[tarfile.TarInfo, bytes]]


def rewritten(file: Path, change: Callable[[Entries], Entries]) -> Path:
    """The bundle with other entries: (header, content) each."""
    with tarfile.open(file) as tar:
        entries = [(entry, _of(tar, entry)) for entry in tar]
    with tarfile.open(file, "w") as tar:
        for entry, content in change(entries):
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return file


def _of(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    inside = tar.extractfile(entry)
    assert inside is not None
    return inside.read()


def renamed(file: Path, **facts: str) -> Path:
    """The bundle with other facts in its manifest: architecture, distribution and so on."""

    def change(entries: Entries) -> Entries:
        (first, text), *others = entries
        return [(first, manifest.written(replace(manifest.parse(text, "x"), **facts))), *others]

    return rewritten(file, change)


@contextmanager
def served(file: Path) -> Iterator[tuple[str, serve.Server]]:
    """The bundle on a free port of the loopback: its address, and its server."""
    with serve.Server(("127.0.0.1", 0), file, lambda _: None) as server:
        thread = Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", server
        finally:
            server.shutdown()
            thread.join()


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
