"""The one door to the host's Docker engine: which one it is, and that it is one on which the lab can be.

`endpoint` and `refusal` decide and are pure but for reading the user's contexts; `connect` opens the door.
The lab runs on this host, so only a local socket will do: a remote engine, or one of the lab's own, would
take commands meant for this host and know nothing of what is here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException

from lab import environment
from lab.errors import HostError
from lab.waiting import stretched

SOCKET = "unix:///var/run/docker.sock"
LOCAL = "unix://"
SECONDS = 60.0


@dataclass(frozen=True)
class Endpoint:
    """The address of an engine, and who named it, in words that say what to change."""

    host: str
    by: str = ""
    undo: str = ""


@dataclass(frozen=True)
class Identity:
    """An engine, told from every other: where it was met, and its own id."""

    socket: str
    id: str


# --- deciding ---------------------------------------------------------------------------------------------


def endpoint(given: Mapping[str, str]) -> Endpoint:
    """The engine that the user's environment names: DOCKER_HOST, else a context, else this host's socket.

    Raises HostError for a context that is not there.
    """
    if given.get("DOCKER_HOST"):
        return Endpoint(given["DOCKER_HOST"], "DOCKER_HOST", "unset DOCKER_HOST")
    folder = Path(given.get("DOCKER_CONFIG") or Path.home() / ".docker")
    if given.get("DOCKER_CONTEXT"):
        return _context(given["DOCKER_CONTEXT"], folder, "DOCKER_CONTEXT", "unset DOCKER_CONTEXT")
    return _context(_current(folder), folder, "the current context", "docker context use default")


def _current(folder: Path) -> str:
    with suppress(OSError, ValueError, AttributeError):
        return str(json.loads((folder / "config.json").read_text()).get("currentContext") or "default")
    return "default"


def _context(name: str, folder: Path, by: str, undo: str) -> Endpoint:
    if name == "default":
        return Endpoint(SOCKET)
    file = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    try:
        host = str(json.loads(file.read_text())["Endpoints"]["docker"]["Host"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HostError(
            f'{by} names the Docker context "{name}", which cannot be read',
            last_seen=str(file),
            try_next=undo,
        ) from error
    return Endpoint(host or SOCKET, f'{by} "{name}"', undo)


def refusal(found: Endpoint) -> HostError | None:
    """Why this engine is not this host's own, or None. Pure."""
    if found.host.startswith(LOCAL):
        return None
    return HostError(
        f"{found.by} names the Docker engine {found.host}: the lab runs on this host's own engine",
        try_next=found.undo,
    )


def other_engine(made_on: Identity, now: Identity) -> HostError | None:
    """Why what this engine says of the lab is worth nothing: the lab was made on another one. Pure."""
    if made_on.id == now.id:
        return None
    return HostError(
        f"the lab was made on the Docker engine at {made_on.socket}; the one at {now.socket} is another",
        last_seen=f"made on {made_on.id}, now {now.id}",
        try_next=f"the same with DOCKER_HOST={made_on.socket}, "
        f"or rm {made_on_file()} when that engine is no more",
    )


# --- doing ------------------------------------------------------------------------------------------------


def made_on_file() -> Path:
    """Where the engine on which the lab was made is noted; the Vagrantfile reads it too."""
    return environment.lab_state() / "engine.json"


def adopt_environment() -> None:
    """The lab's environment becomes this process's own; called first by whatever starts one."""
    try:
        host = endpoint(environment.given()).host
    except HostError:  # told when the engine is asked for: not every command needs one
        host = SOCKET
    environment.adopt(host)


def connect(timeout: float = SECONDS) -> docker.DockerClient:
    """A client of the host's engine; the caller closes it. Raises HostError: remote, silent, or not the
    engine that the lab was made on."""
    client = _open(timeout)
    try:
        _require_same(client)
    except HostError:
        client.close()
        raise
    return client


def require_here() -> None:
    """HostError when commands would not go to the engine that the lab is on."""
    connect().close()


def remember() -> None:
    """Note the engine on which the lab is about to be made. Raises HostError as `connect` does."""
    client = connect()
    try:
        made_on_file().parent.mkdir(parents=True, exist_ok=True)
        made_on_file().write_text(json.dumps(asdict(_identity(client))) + "\n")
    finally:
        client.close()


def forget() -> None:
    """Nothing of the lab is on any engine any more."""
    made_on_file().unlink(missing_ok=True)


def _open(timeout: float) -> docker.DockerClient:
    found = endpoint(environment.given())
    refused = refusal(found)
    if refused:
        raise refused
    try:
        client = docker.DockerClient(base_url=found.host, timeout=round(stretched(timeout)))
    except (DockerException, OSError) as error:
        raise HostError(
            f"no Docker engine answers at {found.host}", last_seen=str(error), try_next="lab/host.sh"
        ) from error
    client.api.trust_env = False
    return client


def _require_same(client: docker.DockerClient) -> None:
    made_on = _made_on()
    refused = made_on and other_engine(made_on, _identity(client))
    if refused:
        raise refused


def _made_on() -> Identity | None:
    try:
        noted: dict[str, Any] = json.loads(made_on_file().read_text())
        return Identity(str(noted["socket"]), str(noted["id"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HostError(
            f"{made_on_file()} cannot be read, so nobody knows on which engine the lab is",
            last_seen=str(error),
            try_next=f"rm {made_on_file()}, when the lab was made on the engine that `docker ps` asks",
        ) from error


def _identity(client: docker.DockerClient) -> Identity:
    try:
        return Identity(endpoint(environment.given()).host, str(client.info()["ID"]))
    except (DockerException, OSError) as error:
        raise HostError("Docker does not answer", last_seen=str(error), try_next="lab/host.sh") from error
