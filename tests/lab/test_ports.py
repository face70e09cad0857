"""A port of SSH that another has is told with its owner and the node that wants it."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from lab import config, engine, ports

LAB = config.load(config.LAB_FILE)
TAKEN = [
    "Error starting userland proxy: listen tcp4 127.0.0.1:2203: bind: address already in use",
    "Error response from daemon: ... Bind for 127.0.0.1:2203 failed: port is already allocated",
    "failed to bind host port 127.0.0.1:2203/tcp: address already in use",
    "The forwarded port to 2203 is already in\nuse on the host machine.",
]


@pytest.mark.parametrize("log", TAKEN)
def test_the_port_that_is_taken_is_found_in_what_vagrant_says(log: str) -> None:
    assert ports.taken(f"==> swarm-node-01: Starting container...\n{log}\nmore\n") == 2203


@pytest.mark.parametrize(
    "log", ["", "no space left on device", "2203 is a number", "the name is already in use"]
)
def test_other_failures_are_not_taken_for_one_of_a_port(log: str) -> None:
    assert ports.taken(log) is None


def container(name: str, port: int, *, running: bool) -> dict[str, Any]:
    bindings = {"22/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}], "80/tcp": None}
    return {"Name": f"/{name}", "State": {"Running": running}, "HostConfig": {"PortBindings": bindings}}


class Client:
    """An engine with these containers."""

    def __init__(self, *attrs: dict[str, Any]) -> None:
        self.containers = self
        self.all = [type("Container", (), {"attrs": one}) for one in attrs]

    def list(self, **_: object) -> list[Any]:
        return self.all

    def close(self) -> None:
        return


NODE = f"{LAB.name}-swarm-node-01"
HALTED = container(NODE, 2203, running=False)
FOREIGN = "LISTEN 0 5 127.0.0.1:2203 0.0.0.0:*\n"
LISTENING = 'LISTEN 0 5 127.0.0.1:2203 0.0.0.0:* users:(("python3",pid=77,fd=3))\n'


@pytest.mark.parametrize(
    ("others", "said", "owner"),
    [
        ([container("web", 2203, running=True)], "", "the container web"),
        ([container("web", 2204, running=True)], LISTENING, "python3 (process 77)"),
        ([container("web", 2203, running=False)], FOREIGN, "a program of another user"),
        ([], "", "a program that is gone by now"),
    ],
)  # fmt: skip
def test_the_owner_the_node_and_both_ways_on_are_told(
    others: list[dict[str, Any]], said: str, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "connect", lambda: Client(HALTED, *others))
    answer = subprocess.CompletedProcess([], 0, said, "")
    monkeypatch.setattr(ports.subprocess, "run", lambda *_, **__: answer)
    error = ports.refusal(LAB, 2203)
    assert (error.node, owner in str(error)) == ("swarm-node-01", True)
    assert f"docker rm {NODE} && lab up" in (error.try_next or "")


def test_without_a_node_that_wants_the_port_there_is_nothing_to_make_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "connect", lambda: Client(container("web", 2203, running=True)))
    error = ports.refusal(LAB, 2203)
    assert error.node is None and "docker rm" not in (error.try_next or "")
