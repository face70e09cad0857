"""Who has the port of this host that SSH of a node is to be forwarded to.

A node that was halted keeps its port, and another program may take it meanwhile.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from lab import engine, named
from lab.errors import HostError
from lab.model import Lab
from lab.waiting import stretched

SECONDS = 10
# The engine, with or without its proxy, of any version; or Vagrant, which looks before it asks the engine.
TAKEN = re.compile(
    r"(?:\d\.\d\.\d\.\d:|forwarded port to )(\d+)\b.{0,60}?\balready\s+(?:in\s+use|allocated)", re.DOTALL
)
LISTENER = re.compile(r'users:\(\("([^"]+)",pid=(\d+)')


def taken(log: str) -> int | None:
    """The port that Vagrant's log says is taken. Pure."""
    found = TAKEN.search(log)
    return int(found[1]) if found else None


def refusal(lab: Lab, port: int) -> HostError:
    """What to tell of a port that is taken: by whom, which node wants it, and how to go on."""
    with closing(engine.connect()) as client:
        containers = [one.attrs for one in client.containers.list(all=True)]
    wanting = [
        name for name in (lab.machine(node.name) for node in lab.nodes) if name in bound(containers, port)
    ]
    up = named.command("up")
    remake = (
        f"; or: docker rm {wanting[0]} && {up}, which takes another port and keeps its data"
        if wanting
        else ""
    )
    return HostError(
        f"port {port} of 127.0.0.1, meant for SSH, is taken by {_owner(containers, port)}",
        node=wanting[0].removeprefix(f"{lab.name}-") if wanting else None,
        try_next=f"end that, then: {up}{remake}",
    )


def bound(containers: Iterable[dict[str, Any]], port: int, *, running: bool = False) -> list[str]:
    """The names of containers that publish something at a port of this host, or would if they ran. Pure."""
    return [
        str(one["Name"]).lstrip("/")
        for one in containers
        if one["State"]["Running"] or not running
        for bindings in (one["HostConfig"].get("PortBindings") or {}).values()
        for binding in bindings or []
        if binding.get("HostPort") == str(port)
    ]


def _owner(containers: list[dict[str, Any]], port: int) -> str:
    running = bound(containers, port, running=True)
    if running:
        return f"the container {running[0]}"
    words = ["ss", "-Hltnp", f"sport = :{port}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=stretched(SECONDS), check=False)
    return listener(done.stdout)


def listener(said: str) -> str:
    """Who listens, by the answer of `ss`, which names only the user's own programs. Pure."""
    found = LISTENER.search(said)
    if found:
        return f"{found[1]} (process {found[2]})"
    return "a program of another user" if said.strip() else "a program that is gone by now"
