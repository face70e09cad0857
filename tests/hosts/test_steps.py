"""What a user types is judged by its exit code and by its output."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from lab.errors import HostError, LabError
from tests.hosts import contained, disk, machine, process, steps, user_mode, virtual
from tests.hosts.machine import Done
from tests.hosts.steps import Typed


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], machine.Host]:
    """A host by its name, whose folder is there, and empty."""

    def named(name: str) -> machine.Host:
        monkeypatch.setattr(machine, "ROOT", tmp_path)
        found = machine.HOSTS[name]
        found.folder.mkdir(parents=True)
        return found

    return named


def done(output: str = "", code: int = 0) -> Done:
    return Done("make lab-up", code, output, 1.0)


def test_the_exit_code_is_said_first() -> None:
    assert Typed("make lab-up", "0 changed").fault(done("0 changed", 3)) == "exit 3"


def test_an_output_without_what_is_expected_is_a_fault() -> None:
    assert Typed("make lab-up", r"\b0 changed").fault(done("10 changed on 4 nodes"))
    assert not Typed("make lab-up", r"\b0 changed").fault(done("5.1 s  0 changed on 4 nodes"))


def test_what_the_first_run_tells_to_type_is_found() -> None:
    said = "permission denied.\n  try next:  sudo usermod -aG docker user   then log in again\n"
    told = steps.HINT.search(said)
    assert told and told[1] == "sudo usermod -aG docker user"


def test_the_steps_that_others_need_come_first() -> None:
    assert tuple(steps.STEPS)[: len(steps.NEEDED)] == steps.NEEDED


@pytest.mark.parametrize(
    ("said", "pairs"),
    [
        ("", []),
        ("/etc/a", [("/etc/a", "/etc/a")]),
        ("/etc/a:/b/c\n  /d", [("/etc/a", "/b/c"), ("/d", "/d")]),
    ],
)
def test_a_file_goes_where_it_was_or_where_it_is_said(said: str, pairs: list[tuple[str, str]]) -> None:
    assert disk.extra_files(said) == [(Path(source), Path(place)) for source, place in pairs]


def test_every_host_is_of_a_kind_that_starts_and_stops_it() -> None:
    for host in machine.HOSTS.values():
        assert {"make", "patience", "boot", "off"} <= vars(steps.KINDS[host.kind]).keys()


def test_each_kind_needs_what_runs_it_and_nothing_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "has", lambda program: False)
    needed = {host.kind: set(disk.missing(host)) for host in machine.HOSTS.values()}
    assert needed[machine.VIRTUAL] - needed[machine.CONTAINER] == {"qemu-system-x86"}
    assert needed[machine.USER_MODE] - needed[machine.CONTAINER] == {"vdeplug", "libvdeplug-slirp"}


def test_the_slower_a_host_runs_the_more_patience_it_has(host: Callable[[str], machine.Host]) -> None:
    emulated = host("debian-12")
    patience = {}
    for accelerator in (virtual.KVM, virtual.EMULATION):
        emulated.file("accelerator").write_text(accelerator)
        patience[accelerator] = virtual.patience(emulated)
    in_user_mode = user_mode.patience(machine.HOSTS["debian-12-user-mode"])
    assert patience[virtual.EMULATION] > in_user_mode > patience[virtual.KVM]
    assert contained.patience(machine.HOSTS["debian-12-container"]) == patience[virtual.KVM]


@pytest.mark.parametrize("kind", [user_mode, virtual])
def test_a_host_without_a_disk_is_told_with_what_makes_it(
    kind: ModuleType, host: Callable[[str], machine.Host]
) -> None:
    with pytest.raises(HostError) as caught:
        kind.boot(host("debian-12"))
    assert caught.value.try_next == "tests/hosts/host debian-12 disk"


def test_a_number_that_is_another_process_by_now_is_not_the_host(
    host: Callable[[str], machine.Host],
) -> None:
    ended = host("debian-12-user-mode")
    ended.file("pid").write_text(str(os.getpid()))
    assert not process.is_on(ended)
    process.off(ended)
    assert not ended.file("pid").exists()


def test_a_container_that_was_never_made_is_told_with_what_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*words: str) -> str:
        if words[0] == "image":
            raise LabError("docker image failed", last_seen="No such image")
        return ""

    monkeypatch.setattr(contained, "_docker", nothing)
    with pytest.raises(HostError) as caught:
        contained.boot(machine.HOSTS["debian-13-container"])
    assert caught.value.try_next == "tests/hosts/host debian-13-container disk"


def test_what_a_kernel_has_is_asked_only_where_it_is_the_host_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    typed: list[str] = []

    def type_(_host: machine.Host, command: str) -> Done:
        typed.append(command)
        return done("netem")

    monkeypatch.setattr(steps, "_type", type_)
    line = Typed("tc qdisc show", "netem", of_kernel=True)
    for name in ("debian-13", "debian-13-user-mode", "debian-13-container"):
        assert not steps.type_all(machine.HOSTS[name], (line,))
    assert typed == [line.command] * 2
