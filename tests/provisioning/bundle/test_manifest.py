"""What a bundle says of itself, and whether it is for here; no file is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lab.errors import CheckFailed
from provisioning.bundle import manifest
from provisioning.bundle.manifest import Host, Manifest, Member

SHA = "0" * 64
MEMBERS = (
    Member("debs/rsync_3.2.7-1+deb12u1~a_amd64.deb", 5, SHA),
    Member("programs/consul-0123456789ab.tar.zst", 0, SHA),
    Member("registry/store-cdef01234567.tar", 9, SHA),
)
WHOLE = Manifest("c0ffee" * 6, "amd64", "debian 12", "3.11", SHA, MEMBERS)
HOST = Host("debian 12", "3.11", SHA)


def test_what_is_written_is_read_again_and_has_one_member_a_line() -> None:
    text = manifest.written(WHOLE)
    assert manifest.parse(text, "x") == WHOLE
    assert sum(b'"sha256"' in line for line in text.splitlines()) == len(MEMBERS)
    assert all(line.count(b'"name"') <= 1 for line in text.splitlines())


Change = Callable[[dict[str, Any]], object]
DAMAGES: dict[str, Change] = {
    "another format": lambda said: said.update(format=2),
    "no format": lambda said: said.pop("format"),
    "no architecture": lambda said: said.pop("architecture"),
    "a commit that is a list": lambda said: said.update(commit=[]),
    "no members": lambda said: said.pop("members"),
    "members that are words": lambda said: said.update(members=["a"]),
    "a member without a size": lambda said: said["members"][0].pop("size"),
    "a size below nothing": lambda said: said["members"][0].update(size=-1),
    "a size that is a word": lambda said: said["members"][0].update(size="5"),
    "a checksum too short": lambda said: said["members"][0].update(sha256="00"),
    "an absolute path": lambda said: said["members"][0].update(name="/etc/passwd"),
    "a way up": lambda said: said["members"][0].update(name="debs/../../x"),
    "a way up first": lambda said: said["members"][0].update(name="../x"),
    "a hidden file": lambda said: said["members"][0].update(name="debs/.x"),
    "a file in no folder": lambda said: said["members"][0].update(name="x"),
    "a name with a line's end": lambda said: said["members"][0].update(name="debs/x\n"),
    "the manifest itself": lambda said: said["members"][0].update(name="manifest.json"),
    "a member twice": lambda said: said["members"].append(said["members"][0]),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_manifest_that_is_none_is_refused(damage: Change) -> None:
    said = json.loads(manifest.written(WHOLE))
    damage(said)
    with pytest.raises(CheckFailed) as refused:
        manifest.parse(json.dumps(said).encode(), "x.bundle")
    assert str(refused.value).startswith("x.bundle: manifest.json")


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"{", b"\xff", b"3"])
def test_a_text_that_is_no_manifest_is_refused(text: bytes) -> None:
    with pytest.raises(CheckFailed, match=r"manifest\.json is damaged"):
        manifest.parse(text, "x")


def test_another_machine_is_refused_with_both() -> None:
    manifest.refuse_other_machine(WHOLE, "amd64", "x")
    with pytest.raises(CheckFailed, match="it is for amd64; this machine is arm64"):
        manifest.refuse_other_machine(WHOLE, "arm64", "x")


@pytest.mark.parametrize(
    ("here", "said"),
    [
        (replace(HOST, distribution="debian 13"), "debs/ is for debian 12; here is debian 13"),
        (replace(HOST, python="3.13"), "wheels/ is for Python 3.11; here is Python 3.13"),
        (replace(HOST, requirements="1" * 64), "wheels/ is for the requirements.txt 0000"),
    ],
)
def test_another_host_is_refused_with_the_members_that_are_not_for_it(here: Host, said: str) -> None:
    manifest.refuse_other_host(WHOLE, HOST, "x")
    with pytest.raises(CheckFailed, match=said):
        manifest.refuse_other_host(WHOLE, here, "x")


def test_another_checkout_is_refused_with_the_member_it_needs_and_the_one_that_is_there() -> None:
    manifest.refuse_other_checkout(WHOLE, [member.name for member in MEMBERS], "x")
    with pytest.raises(CheckFailed) as refused:
        manifest.refuse_other_checkout(WHOLE, ["programs/consul-ffffffffffff.tar.zst"], "x")
    assert "programs/consul-ffffffffffff.tar.zst is not in it" in str(refused.value)
    assert "programs/consul-0123456789ab.tar.zst" in str(refused.value)
    assert "commit c0ffeec0ffee" in str(refused.value)
