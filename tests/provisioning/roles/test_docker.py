"""How one sees that an engine answers; with programs that are played."""

from __future__ import annotations

from typing import Any

import pytest

from lab import config
from lab.model import Node
from provisioning.roles import docker

LAB = config.load(config.LAB_FILE)


@pytest.mark.parametrize(("node", "address"), [(LAB.master, ""), (LAB.swarm_nodes[0], "10.100.199.201:2375")])
def test_an_engine_is_asked_wherever_the_lab_reaches_it(node: Node, address: str, played: Any) -> None:
    played.program("curl")
    (health,) = docker.health(LAB, node)
    assert played.run(health.check).returncode == 0
    (call,) = played.calls("curl")
    assert "docker.sock" in call and (address in call)
    assert ("--next" in call) == bool(address)
