from __future__ import annotations

import subprocess
import time

import pytest

from lab import config, machines, waiting
from lab.errors import LabError, TimedOut
from lab.shell import Result
from lab.testing import Answer, Endless, FakeShell, said
from lab.waiting import SLOW_HOST
from provisioning import health
from provisioning.health import Seen
from provisioning.roles import Health, Logs
from provisioning.stages import healths

LAB = config.load(config.LAB_FILE)
NODES = [node.name for node in LAB.nodes]
MASTER = LAB.master.name


class Bash:
    """A Shell that really runs what it is given, on this host."""

    node = MASTER

    def run(self, script: str, *, sudo: bool = True, check: bool = True, timeout: float = 120) -> Result:
        done = subprocess.run(["bash", "-c", script], check=False, capture_output=True, timeout=timeout)
        return Result(self.node, script, done.returncode, done.stdout.decode(), done.stderr.decode())


# a check -> what `look` says of it
CHECKS = {
    "true": None,
    "echo fine": None,
    "printf 'many\\nlines\\n'": None,
    "echo refused; false": "refused",
    "printf 'two\\nlines\\n'; exit 7": "two lines",
    "false": "no answer",
    "echo -n; false": "no answer",
    "echo n; false": "n",
    "echo e; false": "e",
    "printf 'half\\ra line'; false": "half\ra line",
    "echo '+'; false": "+",
    'echo "it\'s \\$HOME"; false': "it's $HOME",
    "echo a | grep b && echo c": "no answer",
}


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Health(check, MASTER, check, Logs()) for check in CHECKS]
    monkeypatch.setattr(health, "healths", lambda lab: found)


@pytest.mark.usefixtures("checks")
def test_a_look_tells_what_each_check_saw() -> None:
    shells = {name: Bash() for name in NODES}
    assert health.look(LAB, shells) == [Seen(check, MASTER, seen) for check, seen in CHECKS.items()]


def node(name: str, answers: str) -> FakeShell:
    return FakeShell({"": said(answers)}, node=name)


def test_a_look_is_one_script_a_node_and_tells_components_in_order() -> None:
    shells = {name: node(name, "+\n\n-no route to host \n+\n\n+\n\n") for name in NODES[1:]}
    shells[MASTER] = node(MASTER, "+\n\n" * len([h for h in healths(LAB) if h.node == MASTER]))
    seen = health.look(LAB, shells)
    assert [one for one in seen if one.wrong] == [
        Seen("consul", name, "no route to host") for name in NODES[1:]
    ]
    assert [len(shell.scripts) for shell in shells.values()] == [1, 1, 1, 1]


def test_a_look_with_too_few_answers_is_never_guessed_at() -> None:
    with pytest.raises(ValueError, match="zip"):
        health.look(LAB, {name: node(name, "+\n\n") for name in NODES})


def test_components_are_asked_only_when_every_node_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "answering", lambda lab: frozenset(NODES[:2]))
    silent = [Seen(health.SSH, name, "no answer over SSH") for name in NODES[2:]]
    assert health.unwell(LAB, {}) == silent
    assert str(silent[0]) == "ssh on swarm-node-02: no answer over SSH"


@pytest.mark.usefixtures("checks")
def test_what_answers_is_not_unwell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "answering", machines.names)
    wrong = [Seen(check, MASTER, seen) for check, seen in CHECKS.items() if seen]
    assert health.unwell(LAB, {name: Bash() for name in NODES}) == wrong


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PAUSE", 0.0)
    monkeypatch.setattr(health, "TIMEOUT", 0.0)


HEALTH = Health("consul", "n1", "ask consul", Logs(units=("consul",)))
SILENT: dict[str, tuple[Answer, str]] = {
    "exit and output": (said("no leader\n", exit=1), "CheckFailed: exit 1: no leader\nlast words\n"),
    "no output": (said(exit=22), "CheckFailed: exit 22: no output\nlast words\n"),
    "no end": (
        Endless("..."),
        "TimedOut: n1: no end after 10 s: ask consul\n"
        f"  last seen: ...\n  try next:  {SLOW_HOST}\nlast words\n",
    ),
}


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("case", SILENT)
def test_a_component_that_does_not_answer_is_told_with_its_last_log_lines(case: str) -> None:
    answer, seen = SILENT[case]
    shell = FakeShell({"ask": answer, "journalctl": said("last words\n")}, node="n1")
    with pytest.raises(TimedOut, match="for consul to answer") as caught:
        health.wait({"n1": shell}, [HEALTH])
    assert (caught.value.node, caught.value.last_seen) == ("n1", seen)
    assert caught.value.try_next == f"lab logs consul; {SLOW_HOST}"


@pytest.mark.usefixtures("short")
def test_a_node_that_is_gone_does_not_hide_which_component_was_waited_for() -> None:
    shell = FakeShell({"": LabError("the SSH connection broke", node="n1")}, node="n1")
    with pytest.raises(TimedOut, match="for consul to answer"):
        health.wait({"n1": shell}, [HEALTH])


def test_nothing_to_wait_for_is_no_wait() -> None:
    health.wait({}, [])


def test_all_components_are_waited_for_at_once() -> None:
    shell = Bash()
    began = time.monotonic()
    health.wait({MASTER: shell}, [Health(str(n), MASTER, "sleep 0.2", Logs()) for n in range(5)])
    assert time.monotonic() - began < 0.8
