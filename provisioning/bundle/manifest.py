"""What a bundle says of itself: its first member, manifest.json. Pure; the standard library only.

    {"format": 1, "commit": "...", "architecture": "amd64", "distribution": "debian 12", "python": "3.11",
     "requirements": "<sha256 of requirements.txt>",
    "members": [
    {"name": "debs/rsync_3.2.7-1_amd64.deb", "size": 417160, "sha256": "..."},
    ...]}

One member a line: lab/host/bundle.sh reads it with sed where no Python is. The names of programs, image and
registry end with the digest of what they are made from.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from lab.errors import CheckFailed

FORMAT = 1
NAME = "manifest.json"
MOST_BYTES = 1 << 20
DEBS, WHEELS = "debs/", "wheels/"
# One folder and a file in it; nothing that begins with a dot, so no "..".
GOOD_NAME = re.compile(r"[a-z]+/[A-Za-z0-9][A-Za-z0-9._+~-]*")
SHA256 = re.compile(r"[0-9a-f]{64}")
TAKE_ANOTHER = "take the bundle again, or make one of this checkout: lab bundle create FILE"


@dataclass(frozen=True)
class Member:
    """A file of the bundle: its size in bytes, and its sha256 in 64 hex digits."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The whole list, in the order of the file, and where it is for.

    `distribution` is ID and VERSION_ID of /etc/os-release: debs/ are for it alone, wheels/ for `python`.
    """

    commit: str
    architecture: str
    distribution: str
    python: str
    requirements: str
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Host:
    """What debs/ and wheels/ must be for, in the manifest's words."""

    distribution: str
    python: str
    requirements: str


def refused(bundle: str, what: str, last_seen: str = "") -> CheckFailed:
    """The error of a bundle of which nothing is taken."""
    return CheckFailed(f"{bundle}: {what}", last_seen=last_seen, try_next=TAKE_ANOTHER)


def written(manifest: Manifest) -> bytes:
    """The text of manifest.json."""
    head = {"format": FORMAT, **asdict(manifest)}
    del head["members"]
    lines = ",\n".join(json.dumps(asdict(member)) for member in manifest.members)
    return f'{json.dumps(head)[:-1]},\n"members": [\n{lines}\n]}}\n'.encode()


def identity(text: bytes) -> str:
    """What tells a bundle from every other: the sha256 of its manifest, which holds those of its members."""
    return hashlib.sha256(text).hexdigest()


def parse(text: bytes, bundle: str) -> Manifest:
    """The manifest that `written` wrote. Raises CheckFailed; `bundle` names the file in it."""
    try:
        said = json.loads(text)
        if said["format"] != FORMAT:
            what = f"{NAME} is of format {said['format']}; this checkout reads format {FORMAT}"
            raise refused(bundle, what)
        return _manifest(said, bundle)
    except (ValueError, KeyError, TypeError) as error:
        raise refused(bundle, f"{NAME} is damaged", f"{type(error).__name__}: {error}") from error


def _manifest(said: dict[str, Any], bundle: str) -> Manifest:
    members = tuple(Member(one["name"], one["size"], one["sha256"]) for one in said["members"])
    for member in members:
        if not _is_good(member):
            raise refused(bundle, f"{NAME} names the member {member.name!r}, which no bundle has")
    if len({member.name for member in members}) != len(members):
        raise refused(bundle, f"{NAME} names a member twice")
    texts = {field.name: said[field.name] for field in fields(Manifest) if field.name != "members"}
    if not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("a text is none")
    return Manifest(**texts, members=members)


def _is_good(member: Member) -> bool:
    is_number = isinstance(member.size, int) and member.size >= 0
    return bool(is_number and GOOD_NAME.fullmatch(member.name) and SHA256.fullmatch(member.sha256))


def refuse_other_machine(manifest: Manifest, architecture: str, bundle: str) -> None:
    """CheckFailed when programs and images are for machines of another kind."""
    if manifest.architecture != architecture:
        what = f"{NAME} says that it is for {manifest.architecture}; this machine is {architecture}"
        raise refused(bundle, what)


def refuse_other_host(manifest: Manifest, host: Host, bundle: str) -> None:
    """CheckFailed when this host cannot install its packages or wheels."""
    for member, what, of_bundle, here in (
        (DEBS, "", manifest.distribution, host.distribution),
        (WHEELS, "Python ", manifest.python, host.python),
        (WHEELS, "the requirements.txt ", manifest.requirements[:12], host.requirements[:12]),
    ):
        if of_bundle != here:
            raise refused(bundle, f"{member} is for {what}{of_bundle}; here is {what}{here}")


def refuse_other_checkout(manifest: Manifest, needed: Iterable[str], bundle: str) -> None:
    """CheckFailed when a member that this checkout needs is not in it: then it was made from other pins."""
    names = [member.name for member in manifest.members]
    for name in needed:
        if name not in names:
            raise refused(bundle, f"{name} is not in it", _nearest(name, names, manifest.commit))


def _nearest(name: str, names: Iterable[str], commit: str) -> str:
    stem = name.rpartition("-")[0] or name.partition("/")[0]
    others = [one for one in names if one.startswith(stem) and one.count("-") == name.count("-")]
    return "\n".join([*others, f"it was made from commit {commit[:12]}"])
