"""All nodes stand still at once, and go on whatever becomes of the process that wanted it.

A process of its own pauses and unpauses them: `python -m deployments.checkpoints.standstill`. It pauses those
of the lab, says so, and unpauses them at the end of its input: that of who began it at the latest.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

from docker.errors import DockerException, NotFound

from lab import config, engine, machines, virsh
from lab.environment import ROOT
from lab.errors import LabError, printable
from lab.model import Lab
from lab.providers import containers
from lab.shell import in_parallel

STILL = "still"
# A machine's clock stands still with it; that of its hardware is this host's.
SET_CLOCK = "hwclock --hctosys"


@dataclass(frozen=True)
class Pausing:
    """How the nodes of a lab stand still, and how those of them that do go on."""

    pause: Callable[[Lab], object]
    go_on: Callable[[Lab], object]


def _pause_containers(lab: Lab) -> None:
    with closing(engine.connect()) as client:
        found = containers.nodes(lab, client)
        in_parallel(lambda node: containers.pause(found[node]), machines.names(lab))


def _unpause_containers(lab: Lab) -> None:
    def unpause(node: str) -> None:
        with suppress(NotFound):
            container = client.containers.get(lab.machine(node))
            if container.status == "paused":
                container.unpause()

    with closing(engine.connect()) as client:
        in_parallel(unpause, machines.names(lab))


def _suspend_domains(lab: Lab) -> None:
    in_parallel(lambda node: virsh.suspend(lab.machine(node)), machines.names(lab))


def _resume_domains(lab: Lab) -> None:
    shells = machines.shells(lab)

    def resume(node: str) -> None:
        if virsh.resume(lab.machine(node)):
            shells[node].run(SET_CLOCK)

    in_parallel(resume, machines.names(lab))


PAUSING = {
    "docker": Pausing(_pause_containers, _unpause_containers),
    "libvirt": Pausing(_suspend_domains, _resume_domains),
}


@contextmanager
def standstill(lab: Lab) -> Iterator[None]:
    """The nodes are paused in this block. Raises LabError when they cannot be, or did not go on.

    What a node has taken in before it was paused, the other sent before it was: so whatever the order, what
    they keep fits together.
    """
    # Of a session of its own: what ends this process's group does not end it.
    with subprocess.Popen(
        [sys.executable, "-m", "deployments.checkpoints.standstill"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        try:
            if process.stdout.readline().strip() == STILL:
                yield
        finally:
            process.stdin.close()
            said = process.stderr.read()
            process.wait()
    if process.returncode:
        PAUSING[lab.provider].go_on(lab)
        raise LabError("the nodes cannot be paused and unpaused", last_seen=printable(said[-600:]))


def main() -> int:
    engine.adopt_environment()
    try:
        lab = config.load()
        pausing = PAUSING[lab.provider]
        try:
            pausing.pause(lab)
            print(STILL, flush=True)
            sys.stdin.read()
        finally:
            pausing.go_on(lab)
    except (DockerException, LabError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
