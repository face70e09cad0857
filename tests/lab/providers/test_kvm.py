"""Does KVM run the nodes: tried once a boot of the host, and patience where it does not."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

from lab import config, environment
from lab.providers import kvm
from lab.providers.kvm import EMULATION, KVM, Tried

LAB = dataclasses.replace(config.load(config.LAB_FILE), provider="libvirt")
PANIC = "[    1.2] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(environment, "STATE", tmp_path / ".lab")
    monkeypatch.setattr(kvm, "DEVICE", tmp_path)  # it is there
    monkeypatch.setattr(kvm, "architecture", lambda: "amd64")
    monkeypatch.delenv("LAB_PATIENCE", raising=False)
    return tmp_path


@pytest.fixture
def qemu(played: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PATH", str(played.bin))
    return lambda lines: played.program("qemu-system-x86_64", lines) or played


def test_a_kernel_that_gets_to_its_end_proves_kvm(qemu: Any) -> None:
    qemu(f"echo '{PANIC.strip()}'")
    assert kvm.try_out(Path("/k"), "box-1").driver == KVM


def test_a_kernel_that_only_begins_proves_nothing() -> None:
    assert kvm.reason("[    0.0] Linux version 6.1.0\n", in_time=False) != ""


def test_a_machine_that_hangs_is_given_up_and_means_emulation(
    qemu: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kvm, "SECONDS", 0.1)
    qemu("read -t 5 <>/dev/ptmx")
    tried = kvm.try_out(Path("/k"), "box-1")
    assert (tried.driver, tried.why) == (EMULATION, "a kernel that is started on it does not get to its end")


def test_without_the_device_nothing_is_started(qemu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kvm, "DEVICE", Path("/nowhere/kvm"))
    played = qemu("exit 1")
    tried = kvm.try_out(Path("/k"), "box-1")
    assert (tried.driver, tried.why, played.calls()) == (EMULATION, "there is no /nowhere/kvm", [])


def test_a_device_that_the_user_may_not_open_is_said() -> None:
    said = "qemu: Could not access KVM kernel module: Permission denied\n"
    assert "this user may not open" in kvm.reason(said, in_time=True)


def test_it_is_tried_once_a_boot_and_again_with_another_kernel(qemu: Any) -> None:
    played = qemu(f"echo '{PANIC.strip()}'")
    for name in ("box-1", "box-1", "box-2", "box-2"):
        kvm.try_out(Path("/k"), name)
    assert len(played.calls("qemu")) == 2


def keep(driver: str) -> None:
    environment.STATE.mkdir(parents=True, exist_ok=True)
    tried = Tried(driver, "" if driver == KVM else "it hangs", "b", "k")
    (environment.STATE / "kvm.json").write_text(f"{str(dataclasses.asdict(tried)).replace(chr(39), chr(34))}")


def test_emulation_stretches_every_limit_unless_the_user_said_by_how_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep(EMULATION)
    monkeypatch.setenv("LAB_PATIENCE", "2")
    kvm.adopt_patience(LAB)
    assert os.environ["LAB_PATIENCE"] == "2"
    monkeypatch.setenv("LAB_PATIENCE", "")
    kvm.adopt_patience(LAB)
    assert os.environ["LAB_PATIENCE"] == str(kvm.EMULATED_PATIENCE)


@pytest.mark.parametrize(("provider", "driver"), [("docker", EMULATION), ("libvirt", KVM), ("libvirt", "")])
def test_nothing_is_stretched_where_nothing_is_emulated(provider: str, driver: str) -> None:
    if driver:
        keep(driver)
    kvm.adopt_patience(dataclasses.replace(LAB, provider=provider))
    assert "LAB_PATIENCE" not in os.environ


def test_the_warning_has_the_reason_the_price_and_the_factor() -> None:
    said = kvm.warning(Tried(EMULATION, "it hangs", "b", "k"))
    assert "it hangs" in said and "minutes" in said and "LAB_PATIENCE=6" in said


@pytest.mark.parametrize("architecture", kvm.QEMU)
def test_every_architecture_has_its_console(architecture: str) -> None:
    words = kvm.command(Path("/k"), KVM, architecture)
    assert words[0] == kvm.QEMU[architecture][0]
    assert f"console={kvm.QEMU[architecture][2]} panic=-1" in words
