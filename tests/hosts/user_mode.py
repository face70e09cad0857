"""A host with a kernel of its own that is a process of this machine: user-mode Linux."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.hosts import disk
from tests.hosts.machine import CPUS, MEMORY, Host, free_port
from tests.hosts.process import is_on, off, require_disk, wait_for_ssh

__all__ = ["boot", "is_on", "make", "off", "patience"]

MAKE_KERNEL = Path(__file__).with_name("make-kernel")
RUN_KERNEL = Path(__file__).with_name("run-kernel")
BOOT_SECONDS = 60
PATIENCE = 3  # each call of the kernel costs several times what it does elsewhere


def _kernels(host: Host) -> Path:
    return host.folder.parent / "kernel"


def make(host: Host) -> None:
    """A new disk; the kernel too, where none was made yet (some ten minutes)."""
    kernels = _kernels(host)
    if not (kernels / "linux").is_file():
        disk.install_missing(host)
        disk.ask("make a kernel in a chroot of debootstrap")
        disk.lay_out_extra(kernels / "extra")
        disk.as_root(["nice", str(MAKE_KERNEL), str(kernels)])
    disk.make(host, ())


def patience(host: Host) -> int:
    return PATIENCE


def boot(host: Host) -> str:
    """Start the process and wait for SSH; returns how it runs."""
    require_disk(host)
    if not is_on(host):
        _start(host)
    wait_for_ssh(host, BOOT_SECONDS)
    return f"user-mode Linux, {CPUS} processors, {MEMORY}"


def _start(host: Host) -> None:
    port = free_port()
    host.file("port").write_text(str(port))
    with host.file("serial.log").open("wb") as log:
        started = subprocess.Popen(
            [str(RUN_KERNEL), str(host.folder), str(_kernels(host) / "linux"), str(port), MEMORY, CPUS],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    host.file("pid").write_text(str(started.pid))
