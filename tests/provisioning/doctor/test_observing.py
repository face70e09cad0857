from __future__ import annotations

import dataclasses
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab import config, engine, environment
from lab.errors import HostError
from provisioning.build import artifacts
from provisioning.doctor import observing
from provisioning.doctor.facts import Container, Engine, Unseen, version_of
from scenarios import chromium

LAB = config.load(config.LAB_FILE)


# --- reading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Vagrant 2.3.8.dev", (2, 3, 8)),
        ("20.10.24+dfsg1", (20, 10, 24)),
        ("29.0.0-rc.1", (29, 0, 0)),
        ("Docker version 28.2.2, build e6534b4", (28, 2, 2)),
        ("v1.2", (1, 2)),
        ("no word", ()),
        ("", ()),
    ],
)
def test_a_version_is_found_in_what_a_program_says(text: str, version: tuple[int, ...]) -> None:
    assert version_of(text) == version


REFUSALS = {
    "silent": (
        "('Connection aborted.', FileNotFoundError(2, 'No such file or directory'))",
        True,
        "lab/host.sh",
    ),
    "not allowed": ("('Connection aborted.', PermissionError(13, 'Permission denied'))", True, "usermod"),
    "slow": (
        "UnixHTTPConnectionPool(host='localhost'): Read timed out. (read timeout=1)",
        False,
        "docker info",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_an_engine_that_cannot_be_asked(case: str) -> None:
    said, is_certain, mend = REFUSALS[case]
    found = observing.refused(HostError("no Docker engine answers", last_seen=said, try_next="lab/host.sh"))
    assert (found.is_certain, mend in found.mend) == (is_certain, True)


def test_containers_are_the_labs_by_their_label() -> None:
    answers: list[dict[str, Any]] = [
        {
            "Names": ["/n1"],
            "Labels": {"bluegreen-lab": LAB.name},
            "Ports": [{"PublicPort": 2222}, {"PrivatePort": 80}],
        },
        {"Names": ["/n2"], "Labels": {"bluegreen-lab": "another"}, "Ports": None},
        {"Names": None, "Labels": None},
    ]
    assert observing.containers_of(LAB, answers) == (
        Container("n1", True, (2222,)),
        Container("n2", False, ()),
        Container("?", False, ()),
    )


def test_ports_are_those_that_listen() -> None:
    table = (
        "  sl  local_address rem_address   st tx_queue\n"
        "   0: 0100007F:08AE 00000000:0000 0A 00000000\n"
        "   1: 0100007F:08AF 0100007F:0016 01 00000000\n"
        "   2: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0\n"
    )
    assert observing.listening_ports(table) == {2222, 22}


def test_modules_are_spelled_as_the_kernel_does() -> None:
    listing = (
        "kernel/net/sched/sch_netem.ko\n"
        "kernel/net/netfilter/xt-fancy.ko.xz: kernel/net/netfilter/x_tables.ko.xz\n"
        "kernel/drivers/net/vxlan/vxlan.ko.zst:\n"
    )
    assert observing.modules_of(listing) == {"sch_netem", "xt_fancy", "vxlan"}


def test_options_are_those_that_are_on() -> None:
    config = "CONFIG_VETH=m\nCONFIG_BRIDGE=y\n# CONFIG_NET_SCH_NETEM is not set\nCONFIG_HZ=250\n"
    assert observing.options_of(config) == {"VETH", "BRIDGE"}


def test_browsers_are_those_that_the_features_look_for() -> None:
    assert observing.BROWSERS == chromium.PROGRAMS


# --- looking ------------------------------------------------------------------------------------------------


def test_a_look_that_takes_too_long_is_unseen_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "SECONDS", 0.05)
    begun = time.monotonic()
    told = observing._begin(lambda: time.sleep(1))()
    assert time.monotonic() - begun < 0.5
    assert isinstance(told, Unseen) and told.why == "no answer in 0.05 s"


def test_a_look_that_fails_says_why() -> None:
    told = observing._begin(lambda: 1 / 0)()
    assert told == Unseen("ZeroDivisionError: division by zero")


@pytest.fixture
def bin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """A PATH of its own; makes a program of a few lines in it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(name: str, lines: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{lines}\n")
        (folder / name).chmod(stat.S_IRWXU)

    return make


def test_programs_say_their_first_line(bin: Callable[[str, str], None]) -> None:
    bin("vagrant", "echo Vagrant 2.3.4; echo a newer one is there")
    assert observing._program("vagrant")().said == "Vagrant 2.3.4"


def test_a_program_that_is_not_there_has_no_path(bin: Callable[[str, str], None]) -> None:
    assert observing._program("vagrant")().path == ""


def test_a_stub_that_fails_is_not_taken_for_the_program(bin: Callable[[str, str], None]) -> None:
    bin("chromium-browser", "echo requires the chromium snap >&2; exit 1")
    assert observing._program("chromium-browser")().said == Unseen("requires the chromium snap")


def test_a_program_that_hangs_is_unseen(
    bin: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observing, "SECONDS", 0.1)
    bin("vagrant", "exec /bin/sleep 5")
    said = observing._program("vagrant")().said
    assert isinstance(said, Unseen) and said.why == "no answer in 0.1 s"


class FakeApi:
    def version(self) -> dict[str, Any]:
        return {"Version": "26.1.5"}

    def info(self) -> dict[str, Any]:
        return {"DockerRootDir": "/"}

    def networks(self) -> list[dict[str, Any]]:
        return [{"Name": "bridge", "Id": "ab", "IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}]}}]

    def containers(self) -> list[dict[str, Any]]:
        return [{"Names": ["/n1"], "Labels": {"bluegreen-lab": LAB.name}}]


class FakeImages:
    def get(self, tag: str) -> str:
        if "/node:" not in tag:
            raise observing.ImageNotFound("none")
        return tag


class FakeClient:
    api = FakeApi()
    images = FakeImages()

    def close(self) -> None:
        pass


def test_the_engine_is_asked_by_the_one_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "connect", lambda timeout: FakeClient())
    found = observing._engine(LAB)
    assert isinstance(found, Engine)
    assert (found.version, found.images) == ({"Version": "26.1.5"}, frozenset(["node"]))
    assert [one.subnet for one in found.networks] == ["172.17.0.0/16"]


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nothing of this host's lab, cache or engine is looked at."""

    def silent(timeout: float) -> None:
        raise HostError("no Docker engine answers", try_next="lab/host.sh")

    monkeypatch.setattr(engine, "connect", silent)
    monkeypatch.setattr(environment, "STATE", tmp_path / "state")
    monkeypatch.setattr(artifacts, "cache_root", lambda: tmp_path / "cache")
    return tmp_path


def test_a_whole_look_at_this_host_needs_neither_engine_nor_vagrant(
    quiet: Path, bin: Callable[[str, str], None]
) -> None:
    facts = observing.observe(LAB)
    assert facts.engine == Unseen("no Docker engine answers", "lab/host.sh", is_certain=True)
    assert (facts.vagrant.path, facts.tools["ip"], facts.browsers) == ("", "", ())
    assert isinstance(facts.routes, Unseen)
    assert facts.cache.lacking == artifacts.NAMES
    assert facts.system == "Linux" and facts.vagrantfile and facts.meminfo


def test_a_bring_up_does_not_ask_for_a_browser(quiet: Path, bin: Callable[[str, str], None]) -> None:
    bin("chromium", "echo Chromium 1.2")
    assert observing.observe(LAB, with_browser=False).browsers is None
    found = observing.observe(LAB).browsers
    assert found and [one.said for one in found] == ["Chromium 1.2"]


def test_looking_changes_nothing(quiet: Path, bin: Callable[[str, str], None]) -> None:
    before = sorted(quiet.rglob("*"))
    observing.observe(dataclasses.replace(LAB))
    assert sorted(quiet.rglob("*")) == before


def test_room_is_that_of_the_next_folder_that_is_there(tmp_path: Path) -> None:
    space = observing._space(tmp_path / "not" / "yet")
    assert space and space.device == tmp_path.stat().st_dev and space.free > 0


def test_files_that_may_not_be_written_are_named(quiet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = quiet / "state" / "ssh"
    theirs.mkdir(parents=True)
    monkeypatch.setattr("os.access", lambda path, mode: path != theirs)
    assert observing._foreign() == (str(theirs),)


def test_the_engines_own_process_is_asked_for_its_capabilities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "docker.pid"
    monkeypatch.setattr(observing, "PID_FILES", (pid,))
    assert observing._bounding()[1] is False
    pid.write_text("1\n")
    assert observing._bounding()[1] is True
    pid.write_text("4999999\n")  # it ended, and left its file
    assert observing._bounding()[1] is False


def test_settings_without_a_file_are_none_and_unreadable_ones_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observing, "SETTINGS", tmp_path / "daemon.json")
    assert observing._settings() == ""
    (tmp_path / "daemon.json").mkdir()
    assert isinstance(observing._settings(), Unseen)
