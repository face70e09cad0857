"""Takes the bundle that is served in a room, and goes on where it was cut. The standard library only.

No proxy is asked: proxies are for what is outside, and the server is in the room.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

from lab.alone import alone
from lab.errors import CheckFailed, ConfigError, HostError
from lab.waiting import stretched
from provisioning.bundle import archive, manifest
from provisioning.bundle.manifest import Manifest

MANIFEST, FILE = f"/{manifest.NAME}", "/lab.bundle"  # all that a server has
SILENCE = 30.0  # seconds the server may say nothing
TRIES = 5  # in a row that bring nothing
PAUSE = 1.0
SAID_EVERY = 10.0

Say = Callable[[str], None]


def is_address(source: str) -> bool:
    """Whether that is a server's address, and not a file. Pure."""
    return "://" in source


def address_of(url: str) -> tuple[str, int]:
    """Host and port of http://HOST:PORT. Raises ConfigError for anything else. Pure."""
    try:
        said = urlsplit(url)
        if said.scheme == "http" and said.hostname and said.path in ("", "/") and not said.query:
            return said.hostname, said.port or 80
    except ValueError:  # a port that is no number
        pass
    what = f"{url} is not the address of a bundle"
    raise ConfigError(what, try_next="http://HOST:PORT, as `lab bundle serve` prints")


def described(url: str) -> bytes:
    """The text of the manifest that is served. Raises HostError when nobody answers, CheckFailed for none."""
    try:
        with _asked(url, MANIFEST, {}) as answer:
            text = answer.read(manifest.MOST_BYTES + 1)
    except (OSError, HTTPException) as error:
        raise _silent(url, str(error)) from error
    if answer.status != HTTPStatus.OK or len(text) > manifest.MOST_BYTES:
        seen = f"{MANIFEST}: {answer.status} {answer.reason}"
        raise manifest.refused(url, "no bundle is served there", seen)
    return text


def fetch(url: str, text: bytes, folder: Path, say: Say) -> Path:
    """The bundle with this manifest, whole, in `folder`; a part that an earlier try left is gone on with.

    Its members are not held against the manifest yet. Raises HostError.
    """
    file = folder / f"{manifest.identity(text)[:16]}.bundle"
    part = file.with_suffix(".part")
    with alone(file.with_suffix(".lock"), lambda: say("waiting for another process that takes the bundle")):
        if not file.exists():
            _until_whole(url, manifest.identity(text), part, say)
            part.rename(file)
    return file


def whole(
    source: str,
    downloads: Path,
    refuse: Callable[[Manifest], None],
    say: Say,
    keep: archive.Keep = archive.nowhere,
) -> Path:
    """The file of a bundle, every member of it held against the manifest; `source` is a file or an address.

    `refuse` raises when the bundle is not for here, and is asked before anything is fetched. `keep` as in
    `archive.read`. A download that is damaged is removed. Raises LabError.
    """
    if not is_address(source):
        refuse(archive.manifest_of(Path(source)))
        archive.read(Path(source), keep)
        return Path(source)
    text = described(source)
    refuse(manifest.parse(text, source))
    downloads.mkdir(parents=True, exist_ok=True)
    file = fetch(source, text, downloads, say)
    try:
        archive.read(file, keep)
    except CheckFailed:
        file.unlink(missing_ok=True)
        raise
    return file


def content_range(said: str) -> tuple[int, int]:
    """Where an answer begins and how long all is: (5, 10) of `bytes 5-9/10`; (-1, -1) of others. Pure."""
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+)", said)
    return (int(found[1] or found[2]), int(found[2])) if found else (-1, -1)


def _until_whole(url: str, identity: str, part: Path, say: Say) -> None:
    failures, seen = 0, ""
    while failures < TRIES:
        before = _size(part)
        try:
            if _go_on(url, identity, part, say):
                return
            seen = f"the connection ended after {_size(part)} bytes"
        except (OSError, HTTPException) as error:
            seen = str(error) or type(error).__name__
        failures = 0 if _size(part) > before else failures + 1
        time.sleep(stretched(PAUSE))
    raise _silent(url, f"{seen}\n{_size(part)} bytes of it are here; the next try goes on from there")


def _go_on(url: str, identity: str, part: Path, say: Say) -> bool:
    """Ask for the bytes that lack; whether all are here afterwards."""
    have = _size(part)
    with _asked(url, FILE, {"Range": f"bytes={have}-", "If-Range": f'"{identity}"'}) as answer:
        tag = answer.getheader("ETag")
        if tag != f'"{identity}"':
            raise manifest.refused(url, f"{FILE} is not the bundle of {MANIFEST}", f"ETag {tag}")
        begins, total = content_range(answer.getheader("Content-Range") or "")
        if answer.status == HTTPStatus.OK:  # the whole, whatever was asked
            begins, total = 0, answer.length or 0
        if begins not in (0, have):
            part.unlink(missing_ok=True)  # it is no part of that bundle
            raise HTTPException(f"asked for byte {have} and on, it answers {answer.status} from {begins}")
        if answer.status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            _write(answer, part, begins, total, say)
    return _size(part) == total


def _write(answer: HTTPResponse, part: Path, begins: int, total: int, say: Say) -> None:
    said = time.monotonic()
    try:
        with part.open("ab") as out:
            out.truncate(begins)
            while chunk := answer.read(archive.CHUNK):
                out.write(chunk)
                if time.monotonic() - said > SAID_EVERY:
                    said = time.monotonic()
                    say(f"{out.tell() * 100 // total} % of {total / 1e6:.0f} MB")
    except OSError as error:
        if error.errno in archive.FULL:
            part.unlink(missing_ok=True)
            raise archive.no_room(error, str(part)) from error
        raise  # of the connection: the next try goes on


@contextmanager
def _asked(url: str, path: str, headers: Mapping[str, str]) -> Iterator[HTTPResponse]:
    host, port = address_of(url)
    connection = HTTPConnection(host, port, timeout=stretched(SILENCE))
    try:
        connection.request("GET", path, headers=dict(headers))
        yield connection.getresponse()
    finally:
        connection.close()


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _silent(url: str, seen: str) -> HostError:
    there = "there: lab bundle serve FILE --bind ADDRESS"
    return HostError(f"{url} does not give its bundle", last_seen=seen, try_next=there)
