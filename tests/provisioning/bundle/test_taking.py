"""A bundle is made of one machine and taken in by another: all of it, or nothing."""

from __future__ import annotations

import errno
import io
import shutil
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from lab.errors import CheckFailed, ConfigError, HostError, LabError
from provisioning import build
from provisioning.build import Thing
from provisioning.bundle import archive, making, taking
from tests.provisioning.bundle.bundles import LAB, NODE, Entries, Machine, renamed, rewritten, served


def quiet(_: str) -> None:
    pass


def test_what_one_machine_had_another_has(machine: Machine, tmp_path: Path) -> None:
    before = machine.content()
    making.create(LAB, tmp_path / "x", quiet)
    assert machine.content() == before
    machine.empty()
    taking.take_in(LAB, str(tmp_path / "x"), quiet)
    assert machine.content() == before and machine.engine.held == NODE


def test_the_same_content_is_the_same_bundle(machine: Machine, tmp_path: Path) -> None:
    for name in ("x", "y"):
        making.create(LAB, tmp_path / name, quiet)
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir() if file.is_file()) == ["x", "y"]


def test_from_a_server_it_is_the_same_and_the_download_is_gone(machine: Machine, bundle: Path) -> None:
    with served(bundle) as (url, _):
        taking.take_in(LAB, url, quiet)
    assert len(machine.content()) == 6 and machine.engine.held == NODE


def test_only_what_lacks_is_taken_and_a_bundle_is_not_read_when_nothing_does(
    machine: Machine, bundle: Path
) -> None:
    taking.take_in(LAB, str(bundle), quiet)
    machine.engine.refuses = LabError("asked again")
    shutil.rmtree(machine.places()["registry/store-cdef01234567"])
    taking.take_in(LAB, str(bundle), quiet)
    assert len(machine.content()) == 6
    bundle.write_text("no bundle")
    taking.take_in(LAB, str(bundle), quiet)


def test_a_bundle_for_another_machine_is_refused_and_nothing_kept(machine: Machine, bundle: Path) -> None:
    with pytest.raises(CheckFailed, match="it is for m68k"):
        taking.take_in(LAB, str(renamed(bundle, architecture="m68k")), quiet)
    assert machine.content() == {} and machine.engine.held is None


def test_a_bundle_for_another_distribution_serves_a_host_that_has_its_packages(
    machine: Machine, bundle: Path
) -> None:
    taking.take_in(LAB, str(renamed(bundle, distribution="debian 99", python="9.9")), quiet)
    assert machine.engine.held == NODE


def test_a_bundle_of_another_checkout_is_refused_with_the_member(
    machine: Machine, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Thing("programs/consul-ffffffffffff", machine.cache / "x", lambda: False)
    monkeypatch.setattr(build, "things", lambda lab: (other,))
    with pytest.raises(CheckFailed, match=r"programs/consul-ffffffffffff\.tar\.zst is not in it"):
        taking.take_in(LAB, str(bundle), quiet)
    assert machine.content() == {}


@pytest.mark.parametrize("name", ["debs/", "wheels/", "programs/wheels", "registry/", "image/"])
def test_of_a_damaged_bundle_nothing_is_kept_whichever_member_it_is(
    name: str, machine: Machine, bundle: Path
) -> None:
    def change(entries: Entries) -> Entries:
        return [
            (entry, content[:-1] + bytes([content[-1] ^ 1]) if entry.name.startswith(name) else content)
            for entry, content in entries
        ]

    rewritten(bundle, change)
    with pytest.raises(CheckFailed, match=f"{name}.* is damaged"):
        taking.take_in(LAB, str(bundle), quiet)
    assert machine.content() == {} and machine.engine.held is None


def full(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_is_full_in_the_middle_leaves_nothing(
    machine: Machine, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack = archive.unpack

    def in_the_middle(packed: io.BytesIO, folder: Path) -> None:
        unpack(packed, folder)
        if folder.name.startswith("store"):
            full()

    monkeypatch.setattr(archive, "unpack", in_the_middle)
    with pytest.raises(HostError, match=r"the disk is full: registry/store-cdef01234567\.tar; nothing"):
        taking.take_in(LAB, str(bundle), quiet)
    assert machine.content() == {} and machine.engine.held is None


def test_an_engine_that_refuses_leaves_nothing(machine: Machine, bundle: Path) -> None:
    machine.engine.refuses = LabError("no space left on device")
    with pytest.raises(LabError, match="no space left"):
        taking.take_in(LAB, str(bundle), quiet)
    assert machine.content() == {}


def test_what_a_killed_process_left_is_removed(machine: Machine, bundle: Path) -> None:
    left = machine.cache / "building/bundle/programs/x"
    left.parent.mkdir(parents=True)
    left.touch()
    taking.take_in(LAB, str(bundle), quiet)
    assert len(machine.content()) == 6


def test_a_bundle_on_a_full_disk_is_not_written_and_the_old_one_stays(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_text("the old one")
    before = machine.content()
    entry = making._entry
    monkeypatch.setattr(making, "_entry", lambda name, size: full() if size > 1000 else entry(name, size))
    with pytest.raises(HostError, match="the disk is full"):
        making.create(LAB, tmp_path / "x", quiet)
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["x"]
    assert (tmp_path / "x").read_text() == "the old one" and machine.content() == before


def test_a_bundle_in_a_folder_that_is_not_there_is_said_at_once(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        making.create(LAB, tmp_path / "none" / "x", quiet)


def test_without_zstd_its_package_is_named(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking.shutil, "which", lambda name: None)
    with pytest.raises(HostError, match="zstd"):
        making.create(LAB, tmp_path / "x", quiet)


@pytest.mark.parametrize("provider", ["ssh", "libvirt"])
def test_nodes_that_are_no_containers_take_no_bundle(provider: str, machine: Machine, bundle: Path) -> None:
    with pytest.raises(ConfigError, match=f"provider is {provider}"):
        taking.take_in(replace(LAB, provider=provider), str(bundle), quiet)


def test_the_wheels_are_those_that_the_checkout_itself_asks_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[list[str]] = []

    def run(words: list[str], **_: object) -> object:
        ran.append(words)
        return type("Done", (), {"returncode": 0, "stderr": ""})

    monkeypatch.setattr(making.subprocess, "run", run)
    monkeypatch.setattr(making.sources, "pip", dict)
    making.fetch_wheels(tmp_path)
    assert ran[0][-1] == "setuptools==80.9.0" and "--no-deps" in ran[0]
