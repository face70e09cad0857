"""Whether this host's processor runs the nodes: tried with their own kernel, kept until the host's next boot.

A /dev/kvm that opens is no proof: there are hosts on which it runs no kernel but those made for it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from lab import environment
from lab.architecture import architecture
from lab.errors import HostError
from lab.model import Lab
from lab.waiting import PATIENCE, stretched

KVM, EMULATION = "kvm", "qemu"  # as libvirt names the two
DEVICE = Path("/dev/kvm")
QEMU = {  # architecture -> QEMU's program, its machine, where its kernel speaks
    "amd64": ("qemu-system-x86_64", "q35", "ttyS0"),
    "arm64": ("qemu-system-aarch64", "virt", "ttyAMA0"),
}
# What a kernel without a disk says at its very end.
MARKER = "Unable to mount root fs"
SECONDS = 10.0
EMULATED_PATIENCE = 6
PRICE = "a bring-up takes 30 minutes and more"


@dataclass(frozen=True)
class Tried:
    """What came of it: the driver that libvirt is told, and why it is not KVM ("" when it is)."""

    driver: str
    why: str
    boot: str  # the host's boot in which it was tried
    kernel: str  # what it was tried with


# --- deciding ---------------------------------------------------------------------------------------------


def command(kernel: Path, accelerator: str, architecture: str) -> list[str]:
    """A machine that boots this kernel, finds no disk, and ends."""
    program, machine, console = QEMU[architecture]
    return [
        *(program, "-nodefaults", "-no-reboot", "-machine", machine, "-accel", accelerator),
        *("-cpu", "host" if accelerator == KVM else "max", "-m", "256", "-display", "none"),
        *("-kernel", str(kernel), "-append", f"console={console} panic=-1", "-serial", "stdio"),
    ]


def reason(output: str, *, in_time: bool) -> str:
    """Why KVM does not run nodes, by what the machine and QEMU said; "" when it does."""
    if MARKER in output:
        return ""
    if "permission denied" in output.lower():
        return f"this user may not open {DEVICE}"
    last = (output.strip().splitlines() or ["nothing"])[-1][:100]
    return f"QEMU ended: {last}" if in_time else "a kernel that is started on it does not get to its end"


def warning(tried: Tried) -> str:
    """What the user is told of emulation."""
    return (
        f"KVM does not run here ({tried.why}): machines are emulated, {PRICE}; "
        f"LAB_PATIENCE={os.environ.get(PATIENCE) or EMULATED_PATIENCE}"
    )


# --- trying -----------------------------------------------------------------------------------------------


def try_out(kernel: Path, name: str) -> Tried:
    """Boot the kernel on KVM, unless that was done since this host was booted; `name` tells kernels apart."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    known = kept()
    if known and (known.boot, known.kernel) == (boot, name):
        return known
    why = _why_not(kernel) if DEVICE.exists() else f"there is no {DEVICE}"
    tried = Tried(EMULATION if why else KVM, why, boot, name)
    _file().parent.mkdir(parents=True, exist_ok=True)
    _file().write_text(json.dumps(asdict(tried)) + "\n")
    return tried


def kept() -> Tried | None:
    """What was found when it was tried last."""
    try:
        return Tried(**json.loads(_file().read_text()))
    except (OSError, ValueError, TypeError):
        return None


def adopt_patience(lab: Lab, say: Callable[[str], None] = lambda _: None) -> None:
    """Where machines are emulated every limit is stretched, unless LAB_PATIENCE already says by how much."""
    tried = kept() if lab.provider == "libvirt" else None
    if tried and tried.driver == EMULATION and not os.environ.get(PATIENCE):
        say(f"machines are emulated here: {PATIENCE}={EMULATED_PATIENCE}")
        os.environ[PATIENCE] = str(EMULATED_PATIENCE)  # children of this process wait as long


def _why_not(kernel: Path) -> str:
    words = command(kernel, KVM, architecture())
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=stretched(SECONDS), check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise HostError(f"the program {words[0]} is not on this host", try_next="lab/host.sh") from error
    except subprocess.TimeoutExpired as error:
        return reason((error.stdout or b"").decode(errors="replace"), in_time=False)
    return reason(done.stdout.decode(errors="replace"), in_time=True)


def _file() -> Path:
    return environment.STATE / "kvm.json"
