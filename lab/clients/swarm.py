"""The Swarm endpoint, as seen from the host: which container runs where (docker)."""

from __future__ import annotations

from dataclasses import dataclass

import docker

from lab import named
from lab.errors import LabError
from lab.model import Lab
from lab.network import require_present
from lab.waiting import stretched

TIMEOUT = 15


@dataclass(frozen=True)
class Placed:
    """A container and the swarm node it is on."""

    name: str
    node: str
    state: str  # running, exited, created, ...
    image: str


class SwarmClient:
    def __init__(self, lab: Lab) -> None:
        require_present(lab)
        self._client = docker.DockerClient(
            base_url=lab.swarm_endpoint, version="1.30", timeout=int(stretched(TIMEOUT))
        )
        self._client.api.trust_env = False  # no proxy of the user's shell

    def containers(self) -> tuple[Placed, ...]:
        """Every container of the swarm, running or not, by name. LabError when Swarm is silent."""
        try:
            found = self._client.api.containers(all=True)
        except (docker.errors.DockerException, OSError) as error:
            raise LabError(
                "Swarm does not answer", last_seen=str(error), try_next=named.command("logs swarm")
            ) from error
        return tuple(
            sorted((_placed(entry) for entry in found if entry["Names"]), key=lambda placed: placed.name)
        )

    def close(self) -> None:
        self._client.close()


def _placed(entry: dict[str, object]) -> Placed:
    # Swarm names a container /NODE/NAME.
    names = entry["Names"]
    assert isinstance(names, list)
    node, _, name = str(names[0]).lstrip("/").partition("/")
    return Placed(name, node, str(entry["State"]), str(entry["Image"]))
