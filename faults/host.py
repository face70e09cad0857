"""The door to the lab's host: a Shell whose scripts run beside the lab, for what no node can do to itself."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from lab import engine, virsh
from lab.environment import ROOT
from lab.model import MARK, Lab, Node
from lab.shell import CommandFailed, Result, unfinished
from lab.waiting import stretched


class HostShell:
    """Runs a script with bash in the checkout's folder; `sudo` changes nothing."""

    node = "the host"

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def run(self, script: str, *, sudo: bool = True, check: bool = True, timeout: float = 120) -> Result:
        """Raises HostError when `docker` in it would not mean the engine that the lab is on."""
        if self._lab.provider == "docker":
            engine.require_here()
        try:
            done = subprocess.run(
                ["bash", "-c", script],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=stretched(timeout),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise unfinished(self.node, script, timeout, str(error.stdout)) from error
        result = Result(self.node, script, done.returncode, done.stdout, done.stderr)
        if check and result.exit != 0:
            raise CommandFailed(result)
        return result

    def close(self) -> None:
        return


@dataclass(frozen=True)
class Known:
    """How a machine is looked at: a command that prints its mark, and what that says of one that is gone.

    `mark` is what it prints of the lab's own, as a pattern of the shell.
    """

    look: str
    gone: str
    mark: str


def known(lab: Lab, node: Node) -> Known | None:
    """None for machines that nobody on this host knows by a mark. Pure."""
    name = lab.machine(node.name)
    return {
        "docker": Known(
            f"docker inspect -f '{{{{index .Config.Labels \"{MARK}\"}}}}' {name}", "o such object", lab.name
        ),
        "libvirt": Known(f"virsh -q -c {virsh.URI} desc {name}", virsh.GONE, f'"{MARK}={lab.name} "*'),
    }.get(lab.provider)


def only_ours(lab: Lab, node: Node) -> str:
    """Refuses a machine that does not carry the lab's mark; a machine that is gone has nothing to undo."""
    name, how = lab.machine(node.name), known(lab, node)
    if how is None:
        return ""
    # Any other failure tells nothing of the machine.
    return (
        f"mark=$({how.look} 2>&1) || case $mark in\n"
        f'  *"{how.gone}"*) echo "{name} is gone"; exit 0 ;;\n'
        f'  *) echo "$mark" >&2; exit 69 ;;\nesac\n'
        f"case $mark in {how.mark}) ;; *) "
        f'echo "{name} does not belong to the lab {lab.name}" >&2; exit 78 ;;\nesac'
    )
