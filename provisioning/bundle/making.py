"""Makes a bundle of what is on this machine, and fetches what only other hosts need: packages and wheels."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import IO

from lab import environment
from lab.architecture import architecture
from lab.errors import ConfigError, HostError, LabError
from lab.model import Lab
from provisioning import build
from provisioning.build import Thing, artifacts, images, sources
from provisioning.bundle import archive, debs, manifest, taking
from provisioning.bundle.host import this_host
from provisioning.bundle.manifest import DEBS, WHEELS, Manifest, Member

# The node image of 717 MB on two busy cores: 186 MB after 50 s, unpacked in 1.5 s; with gzip 246 MB and 10 s.
ZSTD = ("zstd", "-10", "--long=27", "-T0", "-q", "-c")
ORDER = (DEBS, WHEELS, "programs/", "registry/", "image/")  # what a bare host needs first comes first

Say = Callable[[str], None]


def create(lab: Lab, file: Path, say: Say) -> Manifest:
    """Write the bundle of this lab and this checkout; what is not built yet is built first.

    `file` is written beside and moved: it is whole or as before. Raises LabError, HostError, ConfigError.
    """
    if not file.parent.is_dir():
        raise ConfigError(f"there is no folder {file.parent}", try_next=f"mkdir -p {file.parent}")
    taking.require_zstd()
    build.make(lab, say)
    with artifacts.one_at_a_time("bundle-made", say), artifacts.scratch("bundle-made") as folder:
        try:
            return _create(lab, file, folder, say)
        except OSError as error:
            raise archive.no_room(error, str(file)) from error


def _create(lab: Lab, file: Path, folder: Path, say: Say) -> Manifest:
    for name, fill in ((DEBS, debs.fetch), (WHEELS, fetch_wheels)):
        (folder / name).mkdir()
        say(f"{name} for {this_host().distribution}")
        fill(folder / name)
    for thing in build.things(lab):
        say(taking.member_of(thing))
        _pack(thing, folder)
    listed = describe(folder)
    _write(listed, folder, file)
    return listed


def fetch_wheels(folder: Path) -> None:
    """Wheels of requirements.txt, and of what this checkout's own installation needs, for this Python."""
    project = tomllib.loads((environment.ROOT / "pyproject.toml").read_text())
    words = ("wheel", "--no-deps", "-w", str(folder), "-r", str(environment.ROOT / "requirements.txt"))
    done = subprocess.run(
        [sys.executable, "-I", "-m", "pip", *words, *project["build-system"]["requires"]],
        env=sources.pip(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise LabError("pip did not fetch the wheels", last_seen=done.stderr.strip()[-1000:])


def describe(folder: Path) -> Manifest:
    """The manifest of the files in the folders of ORDER below `folder`."""
    files = [file for kind in ORDER for file in sorted((folder / kind).iterdir())]
    here = this_host()
    return Manifest(
        commit=_commit(),
        architecture=architecture(),
        distribution=here.distribution,
        python=here.python,
        requirements=here.requirements,
        members=tuple(
            Member(file.relative_to(folder).as_posix(), file.stat().st_size, archive.digest_of(file))
            for file in files
        ),
    )


def _commit() -> str:
    try:
        return debs.run("git", "-C", str(environment.ROOT), "rev-parse", "HEAD").strip()
    except HostError:  # a checkout without git; the digests tell what it is
        return "unknown"


def _pack(thing: Thing, folder: Path) -> None:
    target = folder / taking.member_of(thing)
    target.parent.mkdir(exist_ok=True)
    with target.open("wb") as out:
        if target.name.endswith(taking.ZSTD):
            with subprocess.Popen(ZSTD, stdin=subprocess.PIPE, stdout=out) as packing:
                assert packing.stdin is not None
                _fill(thing, packing.stdin)
            if packing.returncode != 0:
                raise LabError(f"zstd ended with {packing.returncode}", last_seen=target.name)
        else:
            _fill(thing, out)


def _fill(thing: Thing, out: IO[bytes]) -> None:
    if thing.place is None:
        out.writelines(images.saved_node())
        return
    with tarfile.open(fileobj=out, mode="w|") as tar:
        images.pack(tar, thing.place, "")


def _write(listed: Manifest, folder: Path, file: Path) -> None:
    """The tar: the manifest, then its members. The same content is the same file."""
    part = file.with_name(f".{file.name}.part")
    text = manifest.written(listed)
    try:
        with tarfile.open(part, "w", format=tarfile.GNU_FORMAT) as tar:
            tar.addfile(_entry(manifest.NAME, len(text)), io.BytesIO(text))
            for member in listed.members:
                with (folder / member.name).open("rb") as content:
                    tar.addfile(_entry(member.name, member.size), content)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)  # of root, without a date
    entry.size, entry.mode = size, 0o644
    return entry
