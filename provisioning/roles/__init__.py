"""What each node is for. A role is one module with two pure functions:

resources(lab, node, built) -> the desired state on that node, in order
health(lab, node)           -> how to see that its components answer there
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.model import Lab, Node
from lab.waiting import limit


@dataclass(frozen=True)
class Health:
    """How to see that a component answers: `check` exits 0 when it does and prints what it saw."""

    component: str
    node: str
    check: str
    logs: str
    late: bool = False  # nothing of the bring-up waits for it, so it may still be starting then


def is_master(node: Node) -> bool:
    return "master" in node.roles


def image(lab: Lab, name: str) -> str:
    """The reference under which the lab's registry serves an image."""
    return f"{lab.registry}/{name}"


def unit_logs(unit: str) -> str:
    return f"journalctl -u {unit} -n 20 --no-pager -o cat"


def container_logs(name: str) -> str:
    return f"docker logs --tail 20 {name} 2>&1"


def ask(words: str) -> str:
    """Shell words that ask a URL, in the time that a check has for one question."""
    return f"curl -fsS -m {limit(4)} {words}"


def ask_engine(words: str) -> str:
    """Shell words that ask an engine, in the time that a check has for it."""
    return f"timeout {limit(5)} docker {words}"


def responds(url: str) -> str:
    """A check that passes when the URL answers with a success."""
    return ask(f"-o /dev/null {url} 2>&1")
