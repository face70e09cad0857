"""A host: a Debian that is not this machine, reached over SSH on 127.0.0.1 alone."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.errors import LabError

ROOT = Path(__file__).parents[2]
USER = "user"
VIRTUAL, USER_MODE, CONTAINER = "virtual", "user-mode", "container"
MEMORY = os.environ.get("HOSTS_MEMORY") or "7168M"
CPUS = os.environ.get("HOSTS_CPUS") or "2"
BARE = ("git", "make")
WITH_ENGINE = (*BARE, "docker.io", "vagrant")
CIPHER = "aes128-ctr"  # the fastest one under emulation


@dataclass(frozen=True)
class Host:
    """A machine to try the lab on; `packages` are there before its user types anything."""

    name: str
    suite: str
    packages: tuple[str, ...]
    kind: str  # VIRTUAL, USER_MODE: a kernel of its own; CONTAINER: this machine's kernel, at its speed
    engine_of: str = ""  # a later suite, whose engine is there before its user types anything

    @property
    def folder(self) -> Path:
        return ROOT / ".lab" / "hosts" / self.name

    def file(self, name: str) -> Path:
        return self.folder / name


HOSTS = {
    host.name: host
    for host in (
        Host("debian-12", "bookworm", WITH_ENGINE, VIRTUAL),
        Host("debian-13", "trixie", BARE, VIRTUAL),
        Host("debian-12-user-mode", "bookworm", WITH_ENGINE, USER_MODE),
        Host("debian-13-user-mode", "trixie", BARE, USER_MODE),
        Host("debian-12-container", "bookworm", WITH_ENGINE, CONTAINER),
        Host("debian-13-container", "trixie", BARE, CONTAINER),
        Host("debian-13-newer-engine", "trixie", BARE, CONTAINER, engine_of="forky"),
    )
}


@dataclass(frozen=True)
class Done:
    """A command that ended on a host: what it said, both outputs in one."""

    command: str
    exit: int
    output: str
    seconds: float


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


# --- SSH -----------------------------------------------------------------------------------------------


def ssh(host: Host, login: str = USER) -> list[str]:
    """The words before a command. Each command is a login of its own: new groups count at once."""
    return [
        *("ssh", "-F", "none", "-i", str(host.file("key")), "-p", host.file("port").read_text()),
        *("-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-c", CIPHER),
        *("-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={host.file('known_hosts')}"),
        *("-o", "LogLevel=ERROR", "-o", "ServerAliveInterval=60", f"{login}@127.0.0.1"),
    ]


def answers(host: Host) -> bool:
    return subprocess.run([*ssh(host), "true"], capture_output=True, check=False).returncode == 0


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
