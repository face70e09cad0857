"""All nodes stand still at once, and go on whatever becomes of the process that wanted it.

A process of its own pauses and unpauses them: `python -m deployments.checkpoints.standstill CONTAINER...`. It
pauses them, says so, and unpauses them at the end of its input: that of who began it at the latest.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress

import docker
from docker.errors import DockerException, NotFound

from lab import engine
from lab.environment import ROOT
from lab.errors import LabError, printable

STILL = "still"


@contextmanager
def standstill(machines: Sequence[str]) -> Iterator[None]:
    """These containers are paused in this block. Raises LabError when they cannot be, or did not go on.

    What a node has taken in before it was paused, the other sent before it was: so whatever the order, what
    they keep fits together.
    """
    # Of a session of its own: what ends this process's group does not end it.
    with subprocess.Popen(
        [sys.executable, "-m", "deployments.checkpoints.standstill", *machines],
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
        with closing(engine.connect()) as client:
            go_on(client, machines)
        raise LabError("the nodes cannot be paused and unpaused", last_seen=printable(said[-600:]))


def go_on(client: docker.DockerClient, machines: Sequence[str]) -> None:
    """Those of them that are paused go on; one that is gone need not."""
    for name in machines:
        with suppress(NotFound):
            container = client.containers.get(name)
            if container.status == "paused":
                container.unpause()


def main() -> int:
    engine.adopt_environment()
    machines = sys.argv[1:]
    with closing(engine.connect()) as client:
        try:
            with ThreadPoolExecutor(max_workers=len(machines)) as pool:
                list(pool.map(client.api.pause, machines))
            print(STILL, flush=True)
            sys.stdin.read()
        except (DockerException, OSError) as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            go_on(client, machines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
