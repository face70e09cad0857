"""What each node is for. A role is one module with two pure functions:

resources(lab, node, built) -> the desired state on that node, in order
health(lab, node)           -> how to see that its components answer there
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.model import Lab, Node
from lab.waiting import limit


@dataclass(frozen=True)
class Logs:
    """Where a component of a node says what it does; declared here once, for everything that reads logs."""

    units: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def last(self, lines: int = 20) -> str:
        """The script that prints the last lines of each."""
        return "; ".join(
            [
                *(f"journalctl -q -u {unit} -n {lines} --no-pager -o cat" for unit in self.units),
                *(f"docker logs --tail {lines} {name} 2>&1" for name in self.containers),
                *(f"tail -n {lines} {path}" for path in self.files),
            ]
        )


@dataclass(frozen=True)
class Health:
    """How to see that a component answers: `check` exits 0 when it does and prints what it saw."""

    component: str
    node: str
    check: str
    logs: Logs
    late: bool = False  # nothing of the bring-up waits for it, so it may still be starting then


def is_master(node: Node) -> bool:
    return "master" in node.roles


def image(lab: Lab, name: str) -> str:
    """The reference under which the lab's registry serves an image."""
    return f"{lab.registry}/{name}"


def ask(words: str) -> str:
    """Shell words that ask a URL, in the time that a check has for one question."""
    return f"curl -fsS -m {limit(4)} {words}"


def ask_engine(words: str) -> str:
    """Shell words that ask an engine, in the time that a check has for it."""
    return f"timeout {limit(5)} docker {words}"


def ask_socket(path: str, words: str = "") -> str:
    """Shell words that ask the node's own engine: in a quarter of the time that the program docker takes."""
    return ask(f"{words} --unix-socket /var/run/docker.sock 'http://localhost{path}'".lstrip())


def runs(container: str) -> str:
    """A check that passes when a container of the node runs."""
    state = f'{ask_socket(f"/containers/{container}/json")} | grep -o \'"State":{{"Status":"[a-z]*"\''
    state += " | cut -d '\"' -f 6"
    return f'state=$({state}); echo "${{state:-not there}}"; test "$state" = running'


def responds(url: str) -> str:
    """A check that passes when the URL answers with a success."""
    return ask(f"-o /dev/null {url} 2>&1")
