"""The door to the lab's host: a Shell whose scripts run beside the lab, for what no node can do to itself."""

from __future__ import annotations

import subprocess

from lab import engine
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


def machine(lab: Lab, node: Node) -> str:
    """A node's container on the host's engine."""
    return f"{lab.name}-{node.name}"


def only_ours(lab: Lab, node: Node) -> str:
    """Refuses a container that does not carry the lab's mark; a machine that is gone has nothing to undo."""
    name = machine(lab, node)
    label = f"docker inspect -f '{{{{index .Config.Labels \"{MARK}\"}}}}' {name}"
    # Any other failure tells nothing of the machine.
    return (
        f"mark=$({label} 2>&1) || case $mark in\n"
        f'  *"o such object"*) echo "{name} is gone"; exit 0 ;;\n'
        f'  *) echo "$mark" >&2; exit 69 ;;\nesac\n'
        f'[ "$mark" = {lab.name} ] || {{ echo "{name} does not belong to the lab {lab.name}" >&2; exit 78; }}'
    )
