"""The door to a node: run a script there, get a Result, keep one connection."""

from __future__ import annotations

import logging
import os
import shlex
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import paramiko
from fabric import Config, Connection
from invoke.exceptions import CommandTimedOut

from lab import named
from lab.errors import LabError, TimedOut
from lab.waiting import SLOW_HOST, limit, stretched

# Each broken connection is told as a LabError; paramiko's own traceback of it is not for the user's screen.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

T = TypeVar("T")
CONNECT_TIMEOUT = 10.0
# Until the other side has said who it is, and has let one in: paramiko's own limits.
CONNECT_LIMITS = {"banner_timeout": 15.0, "auth_timeout": 30.0}
NO_EXIT = -1  # paramiko's word for a command that ended without an exit code
SHOWN = 200  # characters of a command that an error shows


@dataclass(frozen=True)
class Result:
    """What a command left behind: its node, text, exit code and both outputs."""

    node: str
    command: str
    exit: int
    stdout: str
    stderr: str


class CommandFailed(LabError):
    """A command exited non-zero; `result` keeps all of it."""

    def __init__(self, result: Result, try_next: str | None = None) -> None:
        tail = "\n".join((result.stdout + "\n" + result.stderr).strip().splitlines()[-12:])
        shown = result.command if len(result.command) < SHOWN else result.command[:SHOWN] + "..."
        super().__init__(
            f"exit {result.exit} from: {shown}",
            node=result.node,
            last_seen=tail,
            try_next=try_next or named.command(f"ssh {result.node}"),
        )
        self.result = result


def unfinished(node: str, script: str, timeout: float, seen: str) -> TimedOut:
    """What every Shell raises for a script that did not end in `timeout`, stretched."""
    return TimedOut(
        f"no end after {limit(timeout)} s: {script[:SHOWN]}",
        node=node,
        last_seen=seen[-600:],
        try_next=SLOW_HOST,
    )


class Shell(Protocol):
    """A place where scripts run; closed, it opens again at the next one.

    `timeout` is in seconds, stretched by LAB_PATIENCE.
    """

    node: str

    def run(self, script: str, *, sudo: bool = True, check: bool = True, timeout: float = 120) -> Result: ...

    def close(self) -> None: ...


def command_line(script: str, sudo: bool) -> str:
    """The line sent over SSH: root's bash, or the user's own login shell."""
    shell = "sudo -n bash -c" if sudo else "bash -lc"
    return f"{shell} {shlex.quote(script)}"


class SshShell:
    """A Shell over one kept SSH connection, as `vagrant ssh-config` describes it."""

    def __init__(self, node: str, ssh_config: Path) -> None:
        self.node = node
        self._lock = threading.Lock()
        config = Config(overrides={"ssh_config_path": None}, runtime_ssh_path=str(ssh_config))
        limits = {name: stretched(seconds) for name, seconds in CONNECT_LIMITS.items()}
        self._connect_timeout = stretched(CONNECT_TIMEOUT)
        self._connection = Connection(
            node, config=config, connect_timeout=self._connect_timeout, connect_kwargs=limits
        )
        known_hosts = config.base_ssh_config.lookup(node).get("userknownhostsfile", os.devnull).strip('"')
        if known_hosts != os.devnull:  # Vagrant's machines have no key that anybody could know
            self._connection.client.load_host_keys(known_hosts)
            self._connection.client.set_missing_host_key_policy(paramiko.RejectPolicy())

    def _open(self) -> None:
        with self._lock:
            if self._connection.is_connected:
                return
            try:
                self._connection.open()
                # A node that froze keeps its connection: without this the next command would wait an hour.
                self._connection.transport.channel_timeout = self._connect_timeout
            except (OSError, EOFError, paramiko.SSHException) as error:
                raise LabError(
                    "does not answer over SSH",
                    node=self.node,
                    last_seen=str(error),
                    try_next=named.command("up"),
                ) from error

    def run(self, script: str, *, sudo: bool = True, check: bool = True, timeout: float = 120) -> Result:
        self._open()
        begun = time.monotonic()
        try:
            done = self._connection.run(
                command_line(script, sudo),
                hide=True,
                warn=True,
                in_stream=False,
                timeout=stretched(timeout),
                pty=False,
            )
        except CommandTimedOut as error:
            raise unfinished(self.node, script, timeout, str(error.result.stdout)) from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            self.close()
            raise LabError("the SSH connection broke", node=self.node, last_seen=str(error)) from error
        if done.exited == NO_EXIT:
            self.close()
            raise self._cut(script, timeout, time.monotonic() - begun, done.stdout)
        result = Result(self.node, script, done.exited, done.stdout, done.stderr)
        if check and result.exit != 0:
            raise CommandFailed(result)
        return result

    def _cut(self, script: str, timeout: float, took: float, seen: str) -> LabError:
        """Why there is no exit code: the time was over, which fabric may not tell, or the connection was."""
        if took >= stretched(timeout):
            return unfinished(self.node, script, timeout, seen)
        return LabError("the SSH connection broke", node=self.node, last_seen=seen[-600:])

    def close(self) -> None:
        self._connection.close()


def in_parallel(work: Callable[[str], T], nodes: Iterable[str]) -> dict[str, T]:
    """`work(node)` for every node at once; the first error is raised after all have ended."""
    names = list(nodes)
    with ThreadPoolExecutor(max_workers=max(1, len(names))) as pool:
        futures = {name: pool.submit(work, name) for name in names}
    return {name: future.result() for name, future in futures.items()}
