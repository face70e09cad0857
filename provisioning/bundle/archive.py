"""Reads a bundle: a plain tar, each member held against the manifest. The standard library only."""

from __future__ import annotations

import errno
import hashlib
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from lab.errors import ConfigError, HostError
from provisioning.bundle import manifest
from provisioning.bundle.manifest import Manifest, Member, refused

CHUNK = 1 << 20
Keep = Callable[[str], Path | None]
FULL = (errno.ENOSPC, errno.EDQUOT)


def nowhere(name: str) -> Path | None:
    """Of no member its content is kept."""
    return None


def manifest_text(file: Path) -> bytes:
    """The text of the first member. Raises CheckFailed for a file that is no bundle, ConfigError for none."""
    with _opened(file) as tar:
        return _first(tar, file)


def manifest_of(file: Path) -> Manifest:
    """The manifest alone; no member is held against it yet. Raises as `read`."""
    return manifest.parse(manifest_text(file), str(file))


def read(file: Path, keep: Keep = nowhere) -> Manifest:
    """Hold every member against the manifest; the file is read once.

    `keep` says for a member's name where its content is written too, which is worth something only when this
    returns.
    Raises CheckFailed with the member's name, HostError when the disk is full.
    """
    with _opened(file) as tar:
        listed = manifest.parse(_first(tar, file), str(file))
        for member in listed.members:
            _hold(tar, member, file, keep(member.name))
        extra = _next(tar, file, "its end")
        if extra is not None:
            raise refused(str(file), f"{extra.name} is in it and not in {manifest.NAME}")
    return listed


def unpack(packed: IO[bytes], folder: Path) -> None:
    """Write the files of a tar below `folder`, which is made. Files only, so nothing leads out of it."""
    with tarfile.open(fileobj=packed, mode="r|") as tar:
        for entry in tar:
            parts = Path(entry.name).parts
            if not entry.isreg() or ".." in parts or entry.name.startswith("/"):
                raise tarfile.TarError(f"{entry.name} is no file in a folder")
            place, inside = folder / entry.name, tar.extractfile(entry)
            assert inside is not None
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("wb") as out:
                _copy(inside, out.write)
            place.chmod(0o755 if entry.mode & 0o100 else 0o644)


def digest_of(file: Path) -> str:
    """The sha256 of a file, in hex."""
    digest = hashlib.sha256()
    with file.open("rb") as source:
        _copy(source, digest.update)
    return digest.hexdigest()


def no_room(error: OSError, what: str) -> HostError:
    """The error of a disk that is full, or that cannot be written for another reason."""
    if error.errno in FULL:
        return HostError(
            f"the disk is full: {what}; nothing of it is kept", last_seen=str(error), try_next="df -h"
        )
    return HostError(f"the disk fails: {what}; nothing of it is kept", last_seen=str(error))


@contextmanager
def _opened(file: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(file, "r:") as tar:
            yield tar
    except tarfile.TarError as error:
        raise refused(str(file), "this is no bundle", str(error)) from error
    except OSError as error:
        if error.errno == errno.EIO:
            raise no_room(error, str(file)) from error
        is_there = not isinstance(error, FileNotFoundError | IsADirectoryError | PermissionError)
        if is_there or error.filename != str(file):
            raise
        raise ConfigError(f"the bundle {file} cannot be read", last_seen=str(error)) from error


def _first(tar: tarfile.TarFile, file: Path) -> bytes:
    entry = _next(tar, file, manifest.NAME)
    if entry is None or entry.name != manifest.NAME or entry.type != tarfile.REGTYPE:
        raise refused(str(file), f"this is no bundle: its first member is not {manifest.NAME}")
    if entry.size > manifest.MOST_BYTES:
        raise refused(str(file), f"{manifest.NAME} has {entry.size} bytes; no bundle's has so many")
    text: list[bytes] = []
    _content(tar, entry, file, text.append)
    return b"".join(text)


def _next(tar: tarfile.TarFile, file: Path, expected: str) -> tarfile.TarInfo | None:
    try:
        return tar.next()
    except tarfile.TarError as error:
        raise refused(str(file), f"it is cut or damaged before {expected}", str(error)) from error


def _hold(tar: tarfile.TarFile, member: Member, file: Path, place: Path | None) -> None:
    """Read a member to its end and compare it with what the manifest says of it."""
    entry = _next(tar, file, member.name)
    if entry is None:
        raise refused(str(file), f"{member.name} is not in it, though {manifest.NAME} names it")
    if (entry.name, entry.type) != (member.name, tarfile.REGTYPE):
        raise refused(str(file), f"where {member.name} should be is {_said(entry)}")
    digest = hashlib.sha256()
    try:
        with ExitStack() as stack:
            out = stack.enter_context(_created(place)) if place else None
            _content(tar, entry, file, digest.update, *([out.write] if out else []))
    except OSError as error:  # also when it is closed: what is left is written then
        raise no_room(error, f"{entry.name} of {file}") from error
    if (entry.size, digest.hexdigest()) != (member.size, member.sha256):
        seen = f"{entry.size} bytes, sha256 {digest.hexdigest()}\nnot {member.size} bytes, {member.sha256}"
        raise refused(str(file), f"{member.name} is damaged", seen)


def _said(entry: tarfile.TarInfo) -> str:
    return f"{entry.name!r}" + ("" if entry.type == tarfile.REGTYPE else ", which is no plain file")


def _created(place: Path) -> IO[bytes]:
    place.parent.mkdir(parents=True, exist_ok=True)
    return place.open("wb")


def _content(
    tar: tarfile.TarFile, entry: tarfile.TarInfo, file: Path, *takers: Callable[[bytes], object]
) -> None:
    inside = tar.extractfile(entry)
    assert inside is not None
    try:
        _copy(inside, *takers)
    except tarfile.TarError as error:
        raise refused(str(file), f"it ends in the middle of {entry.name}", str(error)) from error


def _copy(source: IO[bytes], *takers: Callable[[bytes], object]) -> None:
    while chunk := source.read(CHUNK):
        for take in takers:
            take(chunk)
