"""A lab of fakes: four nodes whose containers are known, and a journal of its own."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.harness import Harness
from faults.targets import Container, Snapshot
from lab import config
from lab.model import Lab
from lab.testing import FakeShell, said

LAB = config.load(config.LAB_FILE)
NODES = ("swarm-master", "swarm-node-01", "swarm-node-02", "swarm-node-03")
BLUE = Container("booksservice_blue_1", "b1" * 32, "swarm-node-01", "running", (32768,))
GREEN = Container("booksservice_green_1", "9e" * 32, "swarm-node-02", "exited", ())
DB = Container("booksservice_db_1", "db" * 32, "swarm-node-03", "running", (27017,))
NGINX = Container("nginx", "a9" * 32, "swarm-master", "running", (80,))
REGISTRATORS = tuple(
    Container("registrator", f"{n}e" * 32, node, "running") for n, node in enumerate(NODES[1:])
)
LIVE = {"books-service": "blue"}
# What Consul answers of its keys below services/; the values are in base64.
KEYS = json.dumps(
    [
        {"Key": "services/books-service/color", "Value": "Ymx1ZQ=="},
        {"Key": "services/books-service/lock", "Value": None},
    ]
)
THERE = (NGINX, BLUE, GREEN, DB, *REGISTRATORS)


def listing(node: str) -> str:
    """What Docker on a node lists."""
    return "\n".join(
        json.dumps(
            {
                "Names": one.name,
                "ID": one.id,
                "State": one.state,
                "Ports": ", ".join(f"10.0.0.1:{port}->80/tcp" for port in one.ports),
            }
        )
        for one in THERE
        if one.node == node
    )


@pytest.fixture
def lab() -> Lab:
    return LAB


@pytest.fixture
def snapshot() -> Snapshot:
    return Snapshot("swarm-master", NODES, LAB.services, frozenset(NODES), THERE, LIVE)


@pytest.fixture
def chance() -> random.Random:
    return random.Random("of the tests")


@pytest.fixture
def shells() -> dict[str, FakeShell]:
    """Nodes that list their containers and let every script succeed."""
    tail = {"swarm-master": f"\n\n{KEYS}"}
    return {
        node: FakeShell({r"docker ps -a": said(listing(node) + tail.get(node, "\n")), "": said()}, node=node)
        for node in NODES
    }


@pytest.fixture
def host() -> FakeShell:
    return FakeShell({"": said()}, node="host")


@pytest.fixture
def harness(lab: Lab, shells: dict[str, FakeShell], host: FakeShell, tmp_path: Path) -> Harness:
    ways: Callable[[str], str] = lambda node: "172.17.0.9"  # noqa: E731
    return Harness(
        lab, shells, tmp_path / "faults.jsonl", chance=random.Random("of the tests"), host=host, way=ways
    )
