"""A host that is a process ends with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lab.waiting import wait_until
from tests.hosts.user_mode import RUN_KERNEL

Start = Callable[[str, str], "subprocess.Popen[bytes]"]
DEAF = "#!/usr/bin/setsid sh\ntrap '' TERM INT\necho $$ >>{pids}\n{first}\nwhile :; do sleep 0.1; done\n"


def alive(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Begins a host with these programs in place of a kernel and a network; none outlives its test."""
    begun: list[subprocess.Popen[bytes]] = []

    def begin(kernel: str, plug: str) -> subprocess.Popen[bytes]:
        for name, text in (("kernel", kernel), ("vde_plug", plug)):
            program = tmp_path / name
            program.write_text(text)
            program.chmod(0o755)
        words = [str(RUN_KERNEL), str(tmp_path), str(tmp_path / "kernel"), "22022", "64M", "1"]
        path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        begun.append(subprocess.Popen(words, env=path, stdin=subprocess.DEVNULL, start_new_session=True))
        return begun[-1]

    yield begin
    numbers = tmp_path / "pids"
    deaf = map(int, numbers.read_text().split()) if numbers.exists() else ()
    for pid in (*(one.pid for one in begun), *deaf):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for one in begun:
        one.wait()


@pytest.fixture
def pids(tmp_path: Path) -> Path:
    return tmp_path / "pids"


def test_a_host_that_heeds_nothing_ends_with_its_network_when_it_is_told_to(start: Start, pids: Path) -> None:
    running = start(DEAF.format(pids=pids, first=":"), DEAF.format(pids=pids, first="touch net"))
    wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2, 10, "both to run")
    running.send_signal(signal.SIGTERM)
    running.wait(10)
    wait_until(lambda: not any(map(alive, pids.read_text().split())), 10, "both to end")


def test_a_host_that_is_off_ends_its_network_too(start: Start, pids: Path) -> None:
    start("#!/bin/sh\n", DEAF.format(pids=pids, first="touch net")).wait(10)
    wait_until(lambda: not any(map(alive, pids.read_text().split())), 10, "the network to end")


def test_without_a_network_no_host_is_started(start: Start, pids: Path) -> None:
    done = start(DEAF.format(pids=pids, first=":"), "#!/bin/sh\nexit 1\n").wait(10)
    assert done != 0
    assert not pids.exists()
