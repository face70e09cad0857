"""keep.sh and give_back.sh on a machine that is played: what was there before is there again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from lab.providers.own import script

KEY = "ssh-ed25519 AAAAmine bluegreen-lab"
OTHER = "ssh-ed25519 AAAAother bluegreen-lab"
REAL = ("chmod", "head", "mkdir", "tac")
HOME = "/var/lib/bluegreen-lab"


class Machine:
    """A machine whose files are below a folder, and whose systemd, dpkg and Docker are played."""

    def __init__(self, played: Any, root: Path) -> None:
        self.played, self.root, self.home = played, root, root / "home"
        self.home.mkdir()
        for name in REAL:
            (played.bin / name).symlink_to(shutil.which(name) or pytest.fail(f"no {name} on this host"))
        for name in ("docker", "apt-get", "userdel", "pkill", "id"):
            played.program(name)
        played.by_words(
            "systemctl",
            {"is-enabled docker.service": "echo enabled", "is-active docker.service": "echo active"},
            "true",
        )
        played.program("dpkg-query", '[ -e "$state/${!#}" ] && echo "install ok installed"')
        self.install("curl")
        (self.home / "record").touch()
        (self.home / "removable").touch()
        (self.home / "name").write_text("plain\n")
        (self.home / "owner").write_text(f"{KEY}\n")

    def install(self, package: str) -> None:
        (self.played.state / package).touch()

    def keep(self, key: str) -> None:
        done = self.played.run(script("keep.sh"), key, places={HOME: str(self.home)})
        assert done.returncode == 0, done.stderr

    def record(self) -> list[str]:
        return (self.home / "record").read_text().splitlines()

    def give_back(self, key: str = KEY, *, purge: str = "no", force: str = "no") -> Any:
        words = (key, "10.0.0.2:5000", "booksservice", purge, force)
        return self.played.run(script("give_back.sh"), *words, places={HOME: str(self.home)})


@pytest.fixture
def machine(played: Any, tmp_path: Path) -> Machine:
    root = tmp_path / "root"
    root.mkdir()
    return Machine(played, root)


def change(machine: Machine, path: str, text: str) -> Path:
    """As provisioning does it: note, then write."""
    file = machine.root / path
    machine.keep(f"file:{file}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_what_the_lab_made_is_gone_with_every_folder_it_needed(machine: Machine) -> None:
    change(machine, "etc/lab/name", "plain")
    change(machine, "etc/lab/waiting.sh", "x")
    assert machine.record() == [f"new {machine.root}/etc"]
    assert machine.give_back().returncode == 0
    assert list(machine.root.iterdir()) == []  # the notes are gone too


def test_what_was_there_is_there_again_as_it_was_before_the_first_change(machine: Machine) -> None:
    file = machine.root / "daemon.json"
    file.write_text("theirs")
    file.chmod(0o640)
    change(machine, "daemon.json", "ours")
    change(machine, "daemon.json", "ours, changed")
    assert machine.record() == [f"old {file}"]
    assert machine.give_back().returncode == 0
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("theirs", 0o640)


def test_a_folder_that_was_there_stays_with_what_others_have_in_it(machine: Machine) -> None:
    (machine.root / "data").mkdir()
    (machine.root / "data/theirs").write_text("x")
    machine.keep(f"directory:{machine.root}/data")
    change(machine, "data/nginx/conf", "ours")
    machine.give_back()
    assert [path.name for path in (machine.root / "data").iterdir()] == ["theirs"]


def test_only_packages_that_were_not_there_are_noted(machine: Machine) -> None:
    machine.keep("package:curl,jq")
    assert machine.record() == ["package jq"]


@pytest.mark.parametrize("purge", ["yes", "no"])
def test_packages_go_only_when_that_is_asked_for(machine: Machine, purge: str) -> None:
    machine.keep("package:docker-cli,jq")
    machine.install("jq")  # and not docker-cli, which this release of Debian has not
    assert machine.give_back(purge=purge).returncode == 0
    assert bool(machine.played.calls("apt-get purge -qqy jq")) == (purge == "yes")


def test_a_unit_runs_again_as_it_did(machine: Machine) -> None:
    machine.keep("unit:docker.service")
    machine.keep("unit:consul.service")
    assert machine.record() == ["unit docker.service enabled active", "unit consul.service  "]
    machine.give_back()
    for words in ("disable consul.service", "restart docker.service", "stop consul.service"):
        assert machine.played.calls(f"systemctl {words}")
    assert not machine.played.calls("systemctl disable docker.service", "systemctl restart consul.service")


def test_the_engine_stops_after_its_containers_are_gone(machine: Machine) -> None:
    machine.keep("unit:docker.service")
    machine.give_back()
    calls = machine.played.calls("docker images", "systemctl stop docker.service")
    assert [call.split()[0] for call in calls] == ["docker", "systemctl"]


def test_containers_are_asked_for_by_the_labs_marks_alone(machine: Machine) -> None:
    machine.give_back()
    asked = machine.played.calls("docker ps")
    assert [call.partition("--filter ")[2] for call in asked] == [
        "label=bluegreen-lab",
        "label=com.docker.compose.project=booksservice",
    ]


def test_a_machine_of_another_checkout_is_left_alone_unless_told(machine: Machine) -> None:
    file = change(machine, "x", "ours")
    done = machine.give_back(OTHER)
    assert (done.returncode, file.exists()) == (78, True)
    assert "belongs to the lab plain" in done.stderr
    assert machine.give_back(OTHER, force="yes").returncode == 0
    assert not file.exists()


def test_again_is_without_effect(machine: Machine) -> None:
    change(machine, "x", "ours")
    machine.give_back()
    done = machine.give_back()
    assert (done.returncode, done.stdout) == (0, "nothing of a lab is here\n")


def test_what_failed_is_told_and_the_notes_stay_for_the_next_time(machine: Machine) -> None:
    machine.keep("package:jq")
    machine.install("jq")
    machine.played.program("apt-get", "exit 100")
    done = machine.give_back(purge="yes")
    assert (done.returncode, done.stderr) == (1, "failed: remove_packages\n")
    assert machine.record() == ["package jq"]
