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


def ask(*words: str) -> str:
    """Shell words that ask URLs, each with options of its own, in the time that a check has for one question.

    One program asks them all, and the first that gives no answer is the last: checks are made often.
    """
    each = " --next ".join(f"-fsS -m {limit(4)} {one}" for one in words)
    return f"curl {'--fail-early ' if len(words) > 1 else ''}{each}"


def ask_engine(words: str) -> str:
    """Shell words that ask an engine, in the time that a check has for it."""
    return f"timeout {limit(5)} docker {words}"


def socket(path: str, words: str = "") -> str:
    """Words for `ask`, to the node's own engine: in a quarter of the time that the program docker takes."""
    return f"{words} --unix-socket /var/run/docker.sock 'http://localhost{path}'".lstrip()


def runs(container: str) -> str:
    """A check that passes when a container of the node runs."""
    told = f"""[[ $({ask(socket(f"/containers/{container}/json"))}) =~ '"State":{{"Status":"'([a-z]*) ]]"""
    return f'{told}; state=${{BASH_REMATCH[1]:-not there}}; echo "$state"; test "$state" = running'


def responds(*words: str) -> str:
    """A check that passes when all that is asked, as by `ask`, answers with a success."""
    return f"{ask(*(f'-o /dev/null {one}' for one in words))} 2>&1"
