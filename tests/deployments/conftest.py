"""The lab at its baseline, as one look sees it."""

from __future__ import annotations

import pytest

from deployments import books
from deployments.observed import Answer, Container, Noted, Observation
from lab.clients.consul import Instance

DB = Container(
    "booksservice_db_1",
    "swarm-node-03",
    "running",
    "10.100.199.200:5000/mongo",
    "2026-01-01T10:00:00Z",
    addresses=("10.100.199.203:27017",),
)
BLUE = Container(
    "booksservice_blue_1",
    "swarm-node-01",
    "running",
    "10.100.199.200:5000/books-service:1.0",
    "2026-01-01T10:00:05Z",
    ("COLOR=blue", "DB_PORT_27017_TCP=tcp://10.100.199.203:27017"),
    ("10.100.199.201:32768",),
)


@pytest.fixture
def at_baseline() -> Observation:
    return Observation(
        containers=(DB, BLUE),
        volumes=frozenset({DB.node}),
        noted=Noted(
            releases={"blue": "1.0", "green": "1.1"},
            upstream="upstream books-service {\n  server 10.100.199.201:32768;\n}",
            color="blue",
            is_locked=False,
            known={
                "db": (Instance("books-service-db", DB.node, DB.addresses[0]),),
                "blue": (Instance("books-service-blue", BLUE.node, BLUE.addresses[0]),),
                "green": (),
            },
            healing=(),
            is_building=False,
            users=Answer("blue", "1.0", tuple({**book, "rating": 5} for book in books.BOOKS)),
        ),
    )
