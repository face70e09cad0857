"""How checks ask: one program for all questions, and a container's state; with programs that are played."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from lab import config
from provisioning.roles import ask, docker, runs, socket

LAB = config.load(config.LAB_FILE)
STATES = {
    "running": ('{"Id":"1","Args":["\\"State\\":{\\"Status\\":\\"x"],"State":{"Status":"running"}}', True),
    "exited": ('{"Id":"1","State":{"Status":"exited","Running":false}}', False),
    "not there": ("", False),
}


@pytest.mark.parametrize("state", STATES)
def test_a_container_runs_only_when_the_engine_says_so(state: str, played: Any) -> None:
    told, healthy = STATES[state]
    played.program("curl", f"printf '%s' {shlex.quote(told)}" if told else "exit 22")
    done = played.run(runs("registrator"))
    assert (done.returncode == 0, done.stdout.strip()) == (healthy, state)


def test_each_question_has_the_time_and_the_options_of_one_and_the_first_failure_ends_them() -> None:
    assert ask("http://a/") == "curl -fsS -m 4 http://a/"
    assert ask("-o /dev/null http://a/", socket("/b")) == (
        "curl --fail-early -fsS -m 4 -o /dev/null http://a/ "
        "--next -fsS -m 4 --unix-socket /var/run/docker.sock 'http://localhost/b'"
    )


@pytest.mark.parametrize(("node", "address"), [(LAB.master, ""), (LAB.swarm_nodes[0], "10.100.199.201:2375")])
def test_an_engine_is_asked_wherever_the_lab_reaches_it(node: Any, address: str, played: Any) -> None:
    played.program("curl")
    (health,) = docker.health(LAB, node)
    assert played.run(health.check).returncode == 0
    (call,) = played.calls("curl")
    assert "docker.sock" in call and (address in call)
    assert ("--next" in call) == bool(address)
