"""A host: a Debian in a virtual machine that QEMU runs, reached over SSH on 127.0.0.1 alone."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.errors import HostError, LabError
from lab.waiting import wait_until

ROOT = Path(__file__).parents[2]
USER = "user"
MEMORY = os.environ.get("HOSTS_MEMORY") or "7168M"
CPUS = os.environ.get("HOSTS_CPUS") or "2"
KERNEL_LINE = b"Linux version"
KVM, EMULATION = "kvm", "tcg,thread=multi,tb-size=1024"
KVM_SECONDS = 20  # for a first line of the kernel
BOOT_SECONDS = {KVM: 60, EMULATION: 300}
OFF_SECONDS = 90
CIPHER = "aes128-ctr"  # the fastest one under emulation


@dataclass(frozen=True)
class Host:
    """A machine to try the lab on; `packages` are there before its user types anything."""

    name: str
    suite: str
    packages: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return ROOT / ".lab" / "hosts" / self.name

    def file(self, name: str) -> Path:
        return self.folder / name


HOSTS = {
    host.name: host
    for host in (
        Host("debian-12", "bookworm", ("git", "make", "docker.io", "vagrant")),
        Host("debian-13", "trixie", ("git", "make")),
    )
}


@dataclass(frozen=True)
class Done:
    """A command that ended on a host: what it said, both outputs in one."""

    command: str
    exit: int
    output: str
    seconds: float


# --- power ---------------------------------------------------------------------------------------------


def is_on(host: Host) -> bool:
    return _pid(host) is not None


def boot(host: Host) -> str:
    """Start the machine and wait for SSH; returns how it runs: kvm or tcg."""
    if not host.file("disk.img").is_file():
        raise HostError(f"{host.name} has no disk", try_next=f"tests/hosts/host {host.name} disk")
    accelerators = [EMULATION] if is_on(host) else _accelerators()
    for accelerator in accelerators:
        if not is_on(host):
            _start(host, accelerator)
        if accelerator == KVM and not _kernel_speaks(host):
            print("KVM is here, but a Debian kernel does not start on it: emulation", flush=True)
            off(host, at_once=True)
            continue
        wait_until(
            lambda: _answers(host), BOOT_SECONDS[accelerator], f"SSH of {host.name}",
            evidence=lambda: host.file("serial.log").read_text(errors="replace")[-2000:],
        )  # fmt: skip
        return host.file("accelerator").read_text().split(",")[0]
    raise LabError(f"{host.name} did not start", try_next=f"less {host.file('serial.log')}")


def _accelerators() -> list[str]:
    said = os.environ.get("HOSTS_ACCEL")
    if said:
        return [KVM if said == KVM else EMULATION]
    return [KVM, EMULATION] if os.access("/dev/kvm", os.R_OK | os.W_OK) else [EMULATION]


def _start(host: Host, accelerator: str) -> None:
    port = _free_port()
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


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def _kernel_speaks(host: Host) -> bool:
    deadline = time.monotonic() + KVM_SECONDS
    while time.monotonic() < deadline:
        if KERNEL_LINE in host.file("serial.log").read_bytes():
            return True
        time.sleep(0.5)
    return False


def _answers(host: Host) -> bool:
    if not is_on(host):
        raise LabError("QEMU ended")
    return subprocess.run([*ssh(host), "true"], capture_output=True, check=False).returncode == 0


def off(host: Host, *, at_once: bool = False) -> None:
    """Shut the machine down, or cut its power; nothing to do when it is off."""
    if is_on(host) and not at_once:
        subprocess.run([*ssh(host, "root"), "systemctl poweroff"], capture_output=True, check=False)
        at_once = not _ended(host, OFF_SECONDS)
    if at_once and (pid := _pid(host)) is not None:
        os.kill(pid, signal.SIGTERM)
        if not _ended(host, OFF_SECONDS):
            raise LabError(f"QEMU of {host.name} does not end", try_next=f"kill -9 {pid}")
    host.file("pid").unlink(missing_ok=True)


def _ended(host: Host, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_on(host) and time.monotonic() < deadline:
        time.sleep(0.5)
    return not is_on(host)


def _pid(host: Host) -> int | None:
    """The process that runs this machine: the number in its file, if that is still a QEMU with its disk."""
    try:
        pid = int(host.file("pid").read_text())
        words = Path(f"/proc/{pid}/cmdline").read_text()
    except (OSError, ValueError):
        return None
    return pid if str(host.folder) in words else None


# --- SSH -----------------------------------------------------------------------------------------------


def ssh(host: Host, login: str = USER) -> list[str]:
    """The words before a command. Each command is a login of its own: new groups count at once."""
    return [
        *("ssh", "-F", "none", "-i", str(host.file("key")), "-p", host.file("port").read_text()),
        *("-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-c", CIPHER),
        *("-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={host.file('known_hosts')}"),
        *("-o", "LogLevel=ERROR", "-o", "ServerAliveInterval=60", f"{login}@127.0.0.1"),
    ]


def type_on(
    host: Host, command: str, *, login: str = USER, stdin: IO[bytes] | None = None, seconds: float = 7200
) -> Done:
    """Run a command on the host, shown as it goes and kept in typed.log; ended after `seconds`."""
    start = time.monotonic()
    said: list[str] = []
    with host.file("typed.log").open("a") as log:
        _show([f"\n{login}@{host.name}$ {command}\n"], log)
        running = subprocess.Popen(
            [*ssh(host, login), command], stdin=stdin or subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        alarm = threading.Timer(seconds, running.kill)
        alarm.start()
        assert running.stdout is not None
        for line in running.stdout:
            said.append(line)
            _show([line], log)
        code = running.wait()
        alarm.cancel()
        took = time.monotonic() - start
        _show([f"[{host.name}: exit {code} after {took:.1f} s]\n"], log)
    return Done(command, code, "".join(said), took)


def _show(lines: Iterable[str], log: IO[str]) -> None:
    for line in lines:
        log.write(line)
        sys.stdout.write(line)
    log.flush()
    sys.stdout.flush()


def send(host: Host, source: Sequence[str], command: str) -> Done:
    """Give what `source`, a command of this machine, writes to a command on the host."""
    with subprocess.Popen(source, stdout=subprocess.PIPE) as sender:
        done = type_on(host, command, stdin=sender.stdout)
    if sender.returncode != 0:
        raise LabError(f"{source[0]} ended with {sender.returncode}")
    return done


def has(program: str) -> bool:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None
