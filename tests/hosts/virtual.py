"""A host that is a virtual machine: QEMU runs it, with KVM where a Debian kernel starts on it."""

from __future__ import annotations

import os
import subprocess

from lab import environment
from lab.errors import LabError
from tests.hosts import disk
from tests.hosts.machine import CPUS, MEMORY, Host, free_port
from tests.hosts.process import in_time, is_on, off, require_disk, wait_for_ssh

PACKAGES = ("linux-image-amd64",)
SLOW = 10
KERNEL_LINE = b"Linux version"
KVM, EMULATION = "kvm", "tcg,thread=multi,tb-size=1024"
KVM_SECONDS = 20  # for a first line of the kernel
BOOT_SECONDS = {KVM: 60, EMULATION: 300}


def make(host: Host) -> None:
    """A new disk, with its kernel and initrd beside it."""
    disk.make(host, PACKAGES)


def patience(host: Host) -> int:
    return SLOW if host.file("accelerator").read_text() == EMULATION else 1


def boot(host: Host) -> str:
    """Start the machine and wait for SSH; returns how it runs."""
    require_disk(host)
    accelerators = [EMULATION] if is_on(host) else _accelerators()
    for accelerator in accelerators:
        if not is_on(host):
            _start(host, accelerator)
        if accelerator == KVM and not _kernel_speaks(host):
            print("KVM is here, but a Debian kernel does not start on it: emulation", flush=True)
            off(host, at_once=True)
            continue
        wait_for_ssh(host, BOOT_SECONDS[accelerator])
        how = "KVM" if host.file("accelerator").read_text() == KVM else "QEMU's emulation"
        return f"{how}, {CPUS} processors, {MEMORY}"
    raise LabError(f"{host.name} did not start", try_next=f"less {host.file('serial.log')}")


def _accelerators() -> list[str]:
    said = environment.given().get("HOSTS_ACCEL")
    if said:
        return [KVM if said == KVM else EMULATION]
    return [KVM, EMULATION] if os.access("/dev/kvm", os.R_OK | os.W_OK) else [EMULATION]


def _start(host: Host, accelerator: str) -> None:
    port = free_port()
    host.file("serial.log").unlink(missing_ok=True)
    host.file("port").write_text(str(port))
    host.file("accelerator").write_text(accelerator)
    subprocess.run(_qemu(host, accelerator, port), check=True, stdin=subprocess.DEVNULL)


def _qemu(host: Host, accelerator: str, port: int) -> list[str]:
    def quoted(name: str) -> str:
        return str(host.file(name)).replace(",", ",,")  # QEMU's own way to write a comma

    return [
        *("nice", "qemu-system-x86_64", "-name", host.name, "-accel", accelerator, "-cpu", "max"),
        *("-smp", CPUS, "-m", MEMORY),
        *("-kernel", str(host.file("vmlinuz")), "-initrd", str(host.file("initrd.img"))),
        *("-append", "root=/dev/vda rw console=ttyS0 net.ifnames=0"),
        *("-drive", f"file={quoted('disk.img')},format=raw,if=virtio,cache=unsafe"),
        *("-nic", f"user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:{port}-:22"),
        *("-device", "virtio-rng-pci", "-display", "none", "-monitor", "none"),
        *("-serial", f"file:{host.file('serial.log')}"),
        *("-pidfile", str(host.file("pid")), "-daemonize"),
    ]


def _kernel_speaks(host: Host) -> bool:
    log = host.file("serial.log")
    return in_time(lambda: KERNEL_LINE in log.read_bytes(), KVM_SECONDS, "the kernel's first line")
