"""The lock of a service's deployments: whose it is, and when the next one takes it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from lab import config
from provisioning.templates import render

LAB = config.load(config.LAB_FILE)
SCRIPT = render("service/deployment_lock.sh", LAB)
KEY = "v1/kv/services/books-service/lock"
TAKE = ("take", "books-service", "by hand", "0")
OWN = 99  # the script's own process
DESTROY = "curl -fsS -X PUT http://localhost:8500/v1/session/destroy/"


@dataclass(frozen=True)
class Process:
    """One of the master's: its name, its parent, and when it began, in ticks."""

    name: str
    parent: int
    began: int = 100


SSH = {
    60: Process("bash", 50),
    50: Process("sshd", 40, 777),
    40: Process("sshd", 1),
    1: Process("systemd", 0),
}
ANSIBLE = {
    64: Process("bash", 63),
    63: Process("python3", 62),
    62: Process("ansible-playboo", 61),
    61: Process("ansible-playboo", 60, 888),
    **SSH,
}


@pytest.fixture
def master(played: Any, tmp_path: Path) -> Master:
    return Master(played, tmp_path / "proc")


@dataclass
class Master:
    """swarm-master, with the processes below which the script is run, and Consul's lock."""

    played: Any
    proc: Path

    def run(
        self,
        *,
        words: Sequence[str] = TAKE,
        around: dict[int, Process] = SSH,
        noted: str | None = None,
        works: str = "exit 1",
        holder: str | None = "s0",
        while_looked_at: str = "true",
        consul: str = "true",
    ) -> CompletedProcess[str]:
        """Run the script; `noted` is in a lock that `holder` holds, `works` is what pgrep does.

        `consul` is what Consul does when it is asked for a session.
        """
        first, *_ = around
        for pid, one in {**around, OWN: Process("a (name) of bash", first)}.items():
            (self.proc / str(pid)).mkdir(parents=True)
            fields = f"S {one.parent} " + "0 " * 17 + f"{one.began} 0 0"
            (self.proc / str(pid) / "stat").write_text(f"{pid} ({one.name}) {fields}\n")
            (self.proc / str(pid) / "comm").write_text(f"{one.name}\n")
        self.played.program("pgrep", works)
        held = [{"Session": holder, "Value": b64encode((noted or "").encode()).decode()}]
        acquire = "echo true" if noted is None else "[ -e $state/freed ] && echo true || echo false"
        self.played.by_words(
            "curl",
            {
                "*session/create": f'{consul}; echo \'{{"ID": "s1"}}\'',
                "*acquire=s1": acquire,
                "*session/destroy/s0": "touch=$state/freed; : >$touch",
                "*session/destroy/s1": "true",
                f"*{KEY}": "exit 22" if noted is None else f"{while_looked_at}; echo '{json.dumps(held)}'",
            },
        )
        return self.played.run(SCRIPT, *words, places={"/proc": str(self.proc), "$$": str(OWN)})

    def note(self) -> str:
        (acquired, *_) = self.played.calls("acquire=s1")
        return acquired.split(" -d ")[1].split(" http")[0]


@pytest.mark.parametrize(
    ("around", "process"), [(SSH, "50-777"), (ANSIBLE, "61-888")], ids=["an SSH connection", "a playbook"]
)
def test_a_lock_names_the_process_whose_end_is_the_deployments(
    around: dict[int, Process], process: str, master: Master
) -> None:
    done = master.run(around=around)
    assert (done.returncode, done.stdout) == (0, "s1\n"), done.stderr
    assert master.note().startswith("by hand since ")
    assert master.note().endswith(f", process {process}")


ORPHANED = {"nobody is around": 1, "who was around it goes meanwhile": 59}


@pytest.mark.parametrize("case", ORPHANED)
def test_a_deployment_that_was_killed_before_it_had_its_lock_takes_none(case: str, master: Master) -> None:
    done = master.run(around={60: Process("bash", ORPHANED[case]), 1: SSH[1]})
    assert (done.returncode, done.stdout) == (1, "")
    assert "has ended" in done.stderr
    assert master.played.calls("curl") == []


DEAD = {"it is gone": "process 9-100", "its PID is another's by now": "process 50-100"}


@pytest.mark.parametrize("case", DEAD)
def test_the_lock_of_a_deployment_that_was_killed_is_taken_at_once(case: str, master: Master) -> None:
    done = master.run(noted=f"ansible since 10:00:00, {DEAD[case]}")
    assert (done.returncode, done.stdout) == (0, f"s1 left by ansible since 10:00:00, {DEAD[case]}\n")
    assert master.played.calls("destroy") == [f"{DESTROY}s0"]


def test_it_is_taken_once_nothing_of_the_killed_one_goes_on(master: Master) -> None:
    ends = "echo x >>$state/looks; [ $(wc -l <$state/looks) -lt 3 ]"
    done = master.run(noted="by hand since 10:00:00, process 9-100", works=ends)
    assert done.returncode == 0
    assert len(master.played.calls("pgrep")) == 3


def test_what_a_killed_one_left_is_waited_for_no_longer_than_a_minute(master: Master) -> None:
    master.played.clock = 15
    done = master.run(noted="by hand since 10:00:00, process 9-100", works="exit 0")
    assert done.returncode == 3
    assert master.played.calls("destroy") == [f"{DESTROY}s1"]


def test_a_deployment_that_was_waited_for_and_ended_has_left_nothing(master: Master) -> None:
    ends = ": >$state/freed"  # it gives its lock back while the next one looks
    done = master.run(
        words=(*TAKE[:-1], "60"), noted="ansible since 10:00:00, process 50-777", while_looked_at=ends
    )
    assert (done.returncode, done.stdout) == (0, "s1\n")


ALIVE = ["ansible since 10:00:00, process 50-777", "gone", "ansible 10:00:00", "", "process 9-", "$(id)"]


@pytest.mark.parametrize("noted", ALIVE)
def test_a_lock_whose_process_runs_or_is_not_named_is_left_alone(noted: str, master: Master) -> None:
    done = master.run(noted=noted)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"another deployment of books-service is running: {noted}\n"
    assert master.played.calls("destroy") == [f"{DESTROY}s1"]


@pytest.mark.parametrize(("factor", "ttl", "seconds"), [("1", "180s", 60), ("3", "540s", 180)])
def test_a_deployment_holds_and_awaits_its_lock_as_long_as_its_host_needs(
    factor: str, ttl: str, seconds: int, master: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_PATIENCE", factor)
    master.played.know_patience()
    master.played.clock = 15
    assert master.run(words=(*TAKE[:-1], "60"), noted="ansible 10:00:00").returncode == 3
    assert master.played.calls(f'"TTL": "{ttl}"') != []
    assert len(master.played.calls("acquire=s1")) == seconds / 15 + 1


def test_a_silent_consul_is_no_other_deployment(master: Master) -> None:
    done = master.run(consul="exit 7")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Consul does not answer at http://localhost:8500" in done.stderr


RUNS = {
    "a deployment's lock": ("ansible since 10:00:00, process 50-777", "exit 1", True),
    "what a killed one began": ("ansible since 10:00:00, process 9-100", "exit 0", True),
    "a killed one's lock": ("ansible since 10:00:00, process 9-100", "exit 1", False),
    "no lock": (None, "exit 0", False),
}


@pytest.mark.parametrize("case", RUNS)
def test_a_deployment_runs_as_long_as_its_process_or_what_it_began(case: str, master: Master) -> None:
    noted, works, runs = RUNS[case]
    done = master.run(words=("runs", "books-service"), noted=noted, works=works)
    assert (done.returncode == 0) is runs
    assert master.played.calls("-X PUT") == []


def test_a_lock_that_nobody_holds_is_no_deployment(master: Master) -> None:
    assert master.run(words=("runs", "books-service"), noted="by hand", holder=None).returncode != 0
