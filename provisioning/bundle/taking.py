"""What a bring-up needs goes from a bundle to its place: the cache of this host, and its engine."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import IO

from lab import named
from lab.architecture import architecture
from lab.errors import ConfigError, HostError, LabError
from lab.model import Lab
from provisioning import build
from provisioning.build import Thing, artifacts, images
from provisioning.bundle import archive, fetch, manifest
from provisioning.bundle.manifest import Manifest

ZSTD = ".tar.zst"
PLAIN = ".tar"  # the registry's layers are compressed already

Say = Callable[[str], None]


def member_of(thing: Thing) -> str:
    """The member that brings it. Pure."""
    return thing.name + (PLAIN if thing.name.startswith("registry/") else ZSTD)


def take_in(lab: Lab, source: str, say: Say) -> None:
    """The cache and the engine hold what the bundle brings; `source` is a file or http://HOST:PORT.

    Nothing is asked of the bundle when nothing lacks here. Raises LabError, and then all is as it was.
    """
    if lab.provider != "docker":
        what = f"a bundle brings nodes that are containers; this lab's provider is {lab.provider}"
        raise ConfigError(what, try_next=named.command("up"))
    lacking = [thing for thing in build.things(lab) if not thing.is_there()]
    if not lacking:
        return
    with artifacts.one_at_a_time("bundle", say):
        file = fetch.whole(source, downloads(), lambda listed: refuse(listed, lacking, source), say)
        say(f"{source} is whole: {len(lacking)} of its members are taken")
        _place(file, lacking)
        if fetch.is_address(source):
            file.unlink()


def downloads() -> Path:
    """Where a bundle is while it is fetched, and until it is taken in."""
    return artifacts.cache_root() / "bundles"


def refuse(listed: Manifest, things: Iterable[Thing], source: str) -> None:
    """CheckFailed when the bundle is for another machine, or made from another checkout."""
    manifest.refuse_other_machine(listed, architecture(), source)
    manifest.refuse_other_checkout(listed, map(member_of, things), source)


def _place(file: Path, things: Iterable[Thing]) -> None:
    """Unpack beside, give the engine its image, and then move the rest: each place has all or nothing."""
    with artifacts.scratch("bundle") as folder:
        unpacked: list[tuple[Path, Path]] = []
        for thing in sorted(things, key=lambda thing: thing.place is None):  # the engine's comes last
            if thing.place is None:
                with _content(file, member_of(thing)) as saved:
                    images.load_node(saved)
            else:
                unpacked.append((folder / thing.name, thing.place))
                _unpack(file, member_of(thing), folder / thing.name)
        for beside, place in unpacked:
            artifacts.move(beside, place)


def _unpack(file: Path, member: str, folder: Path) -> None:
    try:
        with _content(file, member) as packed:
            archive.unpack(packed, folder)
    except OSError as error:
        raise archive.no_room(error, member) from error


@contextmanager
def _content(file: Path, member: str) -> Iterator[IO[bytes]]:
    """What a member of a bundle that was found whole holds, uncompressed."""
    require_zstd()
    unpacks = ["zstd", "-dcq"] if member.endswith(ZSTD) else ["cat"]
    with (
        subprocess.Popen(["tar", "-xOf", str(file), member], stdout=PIPE, stderr=DEVNULL) as taking,
        subprocess.Popen(unpacks, stdin=taking.stdout, stdout=PIPE, stderr=DEVNULL) as unpacking,
    ):
        assert taking.stdout is not None and unpacking.stdout is not None
        taking.stdout.close()  # the other one's now, so that both end when one does
        yield unpacking.stdout
        unpacking.stdout.read()  # what follows the end of an inner tar
    if taking.returncode or unpacking.returncode:
        raise LabError(f"{member} of {file} does not unpack", try_next="lab bundle verify FILE")


def require_zstd() -> None:
    """HostError when programs and images cannot be compressed or uncompressed here."""
    if shutil.which("zstd") is None:
        raise HostError("bundles need zstd, which is not here", try_next="sudo apt-get install zstd")
