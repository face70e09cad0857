"""Every member is held against the manifest: each kind of damage is told with the name of the member."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.errors import CheckFailed, ConfigError, HostError
from provisioning.bundle import archive
from tests.provisioning.bundle.bundles import Entries, rewritten

KINDS = ("debs/", "wheels/", "programs/", "registry/", "image/")


def header(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, link
    return entry


def flipped(file: Path, name: str, where: float) -> None:
    """One bit of a member is another; `where` is 0 for its first byte, 1 for its last."""
    with tarfile.open(file) as tar:
        entry = tar.getmember(name)
    with file.open("r+b") as out:
        place = entry.offset_data + int((entry.size - 1) * where)
        out.seek(place)
        byte = out.read(1)[0]
        out.seek(place)
        out.write(bytes([byte ^ 1]))


def test_a_whole_bundle_is_read_and_its_members_kept_where_one_says(bundle: Path, tmp_path: Path) -> None:
    listed = archive.read(bundle, lambda name: tmp_path / "kept" / name if name.startswith("debs/") else None)
    assert {member.name.split("/")[0] + "/" for member in listed.members} == set(KINDS)
    assert [str(kept.relative_to(tmp_path / "kept")) for kept in (tmp_path / "kept").rglob("*.deb")] == [
        "debs/rsync_3.2.7-1_amd64.deb"
    ]


def test_the_manifest_is_the_first_member_and_debs_and_wheels_come_next(bundle: Path) -> None:
    with tarfile.open(bundle) as tar:
        names = tar.getnames()
    assert names[0] == "manifest.json"
    assert list(dict.fromkeys(name.split("/")[0] + "/" for name in names[1:])) == list(KINDS)


@pytest.mark.parametrize("where", [0, 0.5, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_one_bit_in_any_member_is_seen(kind: str, where: float, bundle: Path) -> None:
    name = next(member.name for member in archive.manifest_of(bundle).members if member.name.startswith(kind))
    flipped(bundle, name, where)
    with pytest.raises(CheckFailed, match=f"{name} is damaged"):
        archive.read(bundle)


def test_one_bit_in_the_manifest_is_seen(bundle: Path) -> None:
    flipped(bundle, "manifest.json", 0.5)
    with pytest.raises(CheckFailed):
        archive.read(bundle)


def test_a_file_that_is_cut_is_told_by_the_member_in_which_it_ends(bundle: Path) -> None:
    with tarfile.open(bundle) as tar:
        entries = tar.getmembers()
    for entry in entries:
        for place in (entry.offset_data - 100, entry.offset_data + entry.size // 2):
            part = bundle.with_suffix(".part")
            part.write_bytes(bundle.read_bytes()[:place])
            with pytest.raises(CheckFailed) as refused:
                archive.read(part)
            assert entry.name in str(refused.value) or place < tarfile.BLOCKSIZE


def without(name: str) -> Callable[[Entries], Entries]:
    return lambda entries: [entry for entry in entries if not entry[0].name.startswith(name)]


def plus(entry: tarfile.TarInfo, place: int) -> Callable[[Entries], Entries]:
    return lambda entries: [*entries[:place], (entry, b""), *entries[place:]]


def instead(entry: tarfile.TarInfo) -> Callable[[Entries], Entries]:
    return lambda entries: [entries[0], (entry, b""), *entries[2:]]


DEB = "debs/rsync_3.2.7-1_amd64.deb"
ODD = {
    "a member is missing": (without("registry/"), "registry/store-cdef01234567.tar"),
    "the last is missing": (without("image/"), "image/node-89abcdef0123.tar.zst is not in it"),
    "one more at the end": (plus(header("debs/more.deb"), 99), "debs/more.deb is in it and not in manifest"),
    "one more in the middle": (plus(header("debs/more.deb"), 2), "debs/more.deb"),
    "a member twice": (plus(header(DEB), 2), DEB),
    "a way up": (plus(header("../x"), 2), "../x"),
    "a way up at the end": (plus(header("debs/../../x"), 99), "debs/../../x"),
    "an absolute path": (plus(header("/etc/x"), 99), "/etc/x is in it"),
    "a link": (instead(header(DEB, tarfile.SYMTYPE, "/etc/passwd")), DEB),
    "a hard link": (instead(header(DEB, tarfile.LNKTYPE, "manifest.json")), DEB),
    "a folder": (instead(header(DEB, tarfile.DIRTYPE)), DEB),
    "a device": (instead(header(DEB, tarfile.CHRTYPE)), DEB),
    "another order": (lambda entries: [entries[0], entries[2], entries[1], *entries[3:]], DEB),
    "the manifest is not first": (
        lambda entries: [*entries[1:], entries[0]],
        "its first member is not manifest",
    ),
    "the manifest is a link": (
        lambda entries: [(header("manifest.json", tarfile.SYMTYPE, "/etc/passwd"), b""), *entries[1:]],
        "its first member is not manifest.json",
    ),
    "a manifest too long": (
        lambda entries: [(entries[0][0], b" " * (1 << 21)), *entries[1:]],
        "manifest.json has 2097152 bytes",
    ),
}


@pytest.mark.parametrize(("change", "said"), ODD.values(), ids=ODD)
def test_a_tar_that_is_not_what_its_manifest_says_is_refused_with_the_name(
    change: Callable[[Entries], Entries], said: str, bundle: Path, tmp_path: Path
) -> None:
    rewritten(bundle, change)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(CheckFailed) as refused:
        archive.read(bundle)
    assert said in str(refused.value)
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("content", [b"", b"x", b"PK\x03\x04" * 500, bytes(20480)])
def test_a_file_that_is_no_tar_is_no_bundle(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(CheckFailed, match="this is no bundle"):
        archive.read(tmp_path / "x")


def test_a_file_that_is_not_there_is_an_argument_that_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        archive.read(tmp_path / "x")


def test_a_full_disk_is_told_with_the_member(bundle: Path) -> None:
    with pytest.raises(HostError, match="the disk is full: debs/"):
        archive.read(bundle, lambda name: Path("/dev/full") if name.startswith("debs/") else None)


def inner(*entries: tarfile.TarInfo) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for entry in entries:
            tar.addfile(entry)
    packed.seek(0)
    return packed


@pytest.mark.parametrize(
    "entry",
    [
        header("../x"),
        header("a/../../x"),
        header("/etc/x"),
        header("a", tarfile.SYMTYPE, "/etc"),
        header("a", tarfile.LNKTYPE, "b"),
    ],
    ids=lambda entry: f"{entry.name} {entry.type!r}",
)
def test_what_is_unpacked_does_not_lead_out_of_its_folder(entry: tarfile.TarInfo, tmp_path: Path) -> None:
    with pytest.raises(tarfile.TarError):
        archive.unpack(inner(entry), tmp_path / "folder")
    assert list(tmp_path.rglob("x")) == []
