"""Keepers: one short-lived container a node, which copies what the node keeps while the node stands still.

It has the node's volumes and, beside a node that is there, its processes: so it sees what lies in no volume.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Any

import docker
from docker.errors import DockerException, NotFound
from docker.types import Mount

from deployments.checkpoints.store import SPARE_KB, Weight
from lab import engine, named
from lab.errors import CheckFailed, HostError, LabError
from lab.model import MARK, Lab
from lab.providers import containers
from lab.shell import in_parallel
from lab.waiting import PAUSE, in_words, limit, stretched, wait_until
from provisioning.roles import registry

SCRIPT = Path(__file__).with_name("keeper.sh")
STORE = ".lab-checkpoints"  # of the engine's volume, which takes no notice of it
MOUNTED = "/volumes"
SECONDS = 600.0  # for one of its works; it is gone after that, whatever became of who made it
SETTINGS, DEFINITIONS = "/etc/consul.d", "service-*.json"
# What of a node's state is in no volume: Consul's definitions, the engine's name in Swarm, the registry.
LAYER = (SETTINGS, "/etc/docker/key.json", registry.DATA)
# It reads and ends another container's processes; an engine's layers carry attributes of the system's.
CAPABILITIES = ["SYS_PTRACE", "SYS_ADMIN"]
FRAME, STDOUT, STDERR = Struct(">BxxxL"), 1, 2
CHUNK = 65536
LATE = 10.0  # seconds between the end of a work and the end of what it printed, whichever is told first
FULL = "No space left on device"


@dataclass(frozen=True)
class Keeper:
    """The keeper of one node, which runs."""

    node: str
    container: Any

    def work(self, word: str, id: str = "none", known: Sequence[str] = ()) -> str:
        """One work of keeper.sh; what it printed. Raises HostError for a full disk, LabError for all else."""
        settings = {
            "VOLUMES": MOUNTED,
            "NODE": "/proc/1/root",
            "STORE": STORE,
            "ID": id,
            "KNOWN": " ".join(known),
            "LAYER": " ".join(LAYER),
            "WITHHELD": DEFINITIONS,
            "SPARE": str(SPARE_KB),
        }
        command = ["bash", "-c", SCRIPT.read_text(), "keeper.sh", word]
        try:
            code, out, err = run(self.container, command, settings)
        except (DockerException, OSError) as error:
            raise LabError("its keeper does not answer", node=self.node, last_seen=str(error)) from error
        if code == 0:
            return out
        raise failure(self.node, word, code, err + out)  # an engine that cannot begin it prints why

    def weigh(self, id: str) -> Weight:
        digest, *numbers = self.work("weigh", id).split()
        return Weight(digest, *map(int, numbers))


def run(container: Any, command: Sequence[str], settings: Mapping[str, str]) -> tuple[int, str, str]:
    """A command in a container: its exit code, what it printed, and its errors. Raises DockerException.

    Not exec_run, which waits for the end of the stream alone: an engine may keep that open, for ever, when
    the container is removed meanwhile, as after a Ctrl-C.
    """
    api = container.client.api
    id = api.exec_create(container.id, list(command), environment=dict(settings))["Id"]

    def has_ended() -> bool:
        return api.exec_inspect(id)["ExitCode"] is not None  # nor is it before it has begun

    with closing(api.exec_start(id, socket=True)) as stream:
        out, err = printed(b"".join(_read(stream, has_ended)))
    wait_until(has_ended, LATE, "the exit code of a keeper's work")
    return api.exec_inspect(id)["ExitCode"], out, err


def _read(stream: Any, has_ended: Callable[[], bool]) -> Iterator[bytes]:
    """What comes until the stream ends. Raises OSError when whoever writes it has ended, and it does not."""
    deadline = None
    while deadline is None or time.monotonic() < deadline:
        if select.select([stream], [], [], PAUSE)[0]:
            part = os.read(stream.fileno(), CHUNK)
            if not part:
                return
            yield part
        elif deadline is None and has_ended():  # an engine that is busy may know that before all is sent
            deadline = time.monotonic() + stretched(LATE)
    raise OSError(f"the end of what it prints did not come in {in_words(LATE)}")


def printed(stream: bytes) -> tuple[str, str]:
    """Output and errors of an engine's stream of frames: 1 or 2, three zeros, a length, a text. Pure."""
    texts = {STDOUT: b"", STDERR: b""}
    while stream:
        kind, length = FRAME.unpack_from(stream)
        texts[kind] += stream[FRAME.size : FRAME.size + length]
        stream = stream[FRAME.size + length :]
    return texts[STDOUT].decode(errors="replace"), texts[STDERR].decode(errors="replace")


def failure(node: str, word: str, code: int, said: str) -> LabError:
    """Why a keeper's work did not end well. Pure."""
    if FULL.lower() in said.lower():
        return HostError(
            "the host's disk is full", node=node, last_seen=said, try_next="df -h; lab checkpoints"
        )
    return LabError(f"its keeper could not {word}: exit {code}", node=node, last_seen=said[-600:])


def on_all(keepers: Mapping[str, Keeper], work: Callable[[Keeper], Any]) -> dict[str, Any]:
    """The same of every keeper at once; node -> what it gave."""
    return in_parallel(lambda node: work(keepers[node]), keepers)


def each(nodes: Mapping[str, Any], work: Callable[[Any], object]) -> None:
    """The same of the containers of all nodes at once. Raises LabError."""

    def do(node: str) -> None:
        try:
            work(nodes[node])
        except (DockerException, OSError) as error:
            raise LabError("the engine refused", node=node, last_seen=str(error)) from error

    in_parallel(do, nodes)


def _require_all(lab: Lab, nodes: Iterable[str]) -> None:
    """Raises CheckFailed when a node has no container."""
    missing = sorted({node.name for node in lab.nodes} - set(nodes))
    if missing:
        raise CheckFailed(f"there is no container of {', '.join(missing)}", try_next=named.up_command())


@contextmanager
def opened(lab: Lab, client: docker.DockerClient, *, beside: bool = True) -> Iterator[dict[str, Keeper]]:
    """A keeper for each node; `beside` the node's processes, which must then run or be paused."""
    nodes = containers.nodes(lab, client)
    _require_all(lab, nodes)
    made: dict[str, Keeper] = {}

    def make(node: str) -> None:
        made[node] = Keeper(node, _make(lab, client, node, nodes[node], beside=beside))

    try:
        in_parallel(make, nodes)
        yield made
    finally:
        on_all(made, lambda keeper: _remove(keeper.container))


def _make(lab: Lab, client: docker.DockerClient, node: str, machine: Any, *, beside: bool) -> Any:
    name = f"{machine.name}-keeper"
    mounts = [
        # One that is not there is made, and must carry the mark.
        Mount(f"{MOUNTED}/{what}", machine.name + suffix, type="volume", labels={MARK: lab.name})
        for what, suffix in containers.VOLUMES.items()
    ]
    try:
        with suppress(NotFound):  # of a command that was killed
            client.containers.get(name).remove(force=True)
        return client.containers.run(
            machine.attrs["Image"],
            [limit(SECONDS)],
            entrypoint=["sleep"],
            name=name,
            labels={MARK: lab.name},
            pid_mode=f"container:{machine.id}" if beside else None,
            network_mode="none",
            cap_add=CAPABILITIES,
            security_opt=["apparmor=unconfined", "seccomp=unconfined"],
            mounts=mounts,
            detach=True,
            auto_remove=True,
        )
    except (DockerException, OSError) as error:
        raise LabError("its keeper does not start", node=node, last_seen=str(error)) from error


def _remove(container: Any) -> None:
    with suppress(DockerException):  # it went with the node's processes, or goes by itself
        container.remove(force=True)


def connect() -> docker.DockerClient:
    """The engine, for works that take a while; the caller closes it."""
    return engine.connect(SECONDS)
