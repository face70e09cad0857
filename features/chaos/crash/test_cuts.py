"""Any command may be cut at any moment, by kill -9 or Ctrl-C: the same again ends well, and so does all else.

A command runs in a process group of its own, which is cut at a moment that the seed chooses.
"""

from __future__ import annotations

import json
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from faults.leftovers import leftovers
from lab import machines
from lab.model import MARK, SHARED, Lab
from lab.shell import Shell
from lab.waiting import stretched, wait_until
from provisioning.build.artifacts import cache_root

pytestmark = pytest.mark.usefixtures("one_baseline")
BIN = Path(sys.executable).parent
LAB = str(BIN / "lab")
SCENARIO = (
    *(str(BIN / "pytest"), "-q", "-p", "no:cacheprovider"),
    "features/healing/test_healing.py::test_the_live_color_is_how[stopped]",
)
PLAYBOOK = "ansible-playbook /vagrant/ansible/books-service.yml -i /vagrant/ansible/hosts/prod"
KILL, INTERRUPT = signal.SIGKILL, signal.SIGINT
INTERRUPTED = {INTERRUPT: "Ctrl-C", KILL: "kill -9"}


@dataclass(frozen=True)
class Cut:
    """A command, and how many seconds it may take: the moments of its cut lie within.

    Beside it, what is typed before it, before the same again, and after that.
    """

    words: tuple[str, ...]
    seconds: float
    before: tuple[str, ...] = ()
    between: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


UP, DOWN = (LAB, "up"), (LAB, "down")
# What `up` finds in the cache: without it, it is built again. Another lab that is up keeps the images it has.
IMAGES = f"{{ docker images -q --filter label={MARK}={SHARED} | xargs -r docker rmi -f || true; }}"
PROGRAM = f"rm -r {shlex.quote(str(cache_root()))}/artifacts/registrator-*"
REMOVE = (LAB, "checkpoint", "rm", "cut")
# A save that ended before its cut has made the checkpoint; 2 says that there is none.
NO_CHECKPOINT = ("bash", "-c", f"{shlex.join(REMOVE)} || [ $? = 2 ]")


def without(removed: str) -> tuple[str, ...]:
    """Takes the lab down, and what it was made from."""
    return ("bash", "-c", f"{shlex.join(DOWN)} && {removed}")


CUTS = {
    "deploy": Cut((LAB, "deploy", "books-service", "1.1"), 12),
    "reset": Cut((LAB, "reset"), 6),
    "fault": Cut(
        (LAB, "fault", "inject", "stop", "the live color", "--seconds", "4"),
        8,
        between=(LAB, "fault", "heal", "--all"),
    ),
    "soak": Cut((LAB, "soak", "--minutes", "0.3", "--seed", "1"), 40),
    "scenario": Cut(SCENARIO, 30),
    "up": Cut(UP, 6),
    "up from nothing": Cut(UP, 50, before=DOWN),
    "up that builds images": Cut(UP, 90, before=without(IMAGES)),
    "up that builds a program": Cut(UP, 20, before=without(PROGRAM)),
    "save": Cut((LAB, "save", "cut"), 7, between=NO_CHECKPOINT, after=REMOVE),
    "restore": Cut((LAB, "restore", "cut"), 25, before=(LAB, "save", "cut"), after=REMOVE),
    "step": Cut((LAB, "step", "goto", "3"), 15),
    "down": Cut(DOWN, 8, after=UP),
}


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """A shell's job in the background ignores Ctrl-C, and so does all that it starts."""
    before = signal.signal(INTERRUPT, signal.default_int_handler)
    yield
    signal.signal(INTERRUPT, before)


def cut(words: tuple[str, ...], moment: float, how: signal.Signals) -> int | None:
    """Run a command and cut it after so many seconds; returns its exit code, 0 if it ended before."""
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen(words, start_new_session=True, stdout=said, stderr=subprocess.STDOUT)
        try:
            child.wait(moment)
            said.seek(0)
            assert child.returncode == 0, f"{shlex.join(words)}: exit {child.returncode}\n{said.read()}"
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, how)
            try:
                child.wait(stretched(120))
            finally:
                if child.poll() is None:
                    os.killpg(child.pid, KILL)
    return child.returncode


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=stretched(600))


def ends_well(*words: str) -> None:
    if not words:
        return
    done = run(*words)
    assert done.returncode == 0, f"{shlex.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}"


def is_whole(lab: Lab) -> None:
    """`lab reset` ends well; then nothing is open, held, or left on a node."""
    ends_well(LAB, "reset")
    shells = machines.shells(lab)  # anew: the machines may be others than before
    wait_until(
        lambda: not leftovers(shells), 60, "nothing of a fault", evidence=lambda: str(leftovers(shells))
    )
    assert json.loads(run(LAB, "fault", "list", "--format", "json").stdout) == []
    locks = [f"http://localhost:8500/v1/kv/{service.lock_key}" for service in lab.services]
    held = shells[lab.master.name].run("; ".join(f"curl -s {lock}" for lock in locks)).stdout
    assert "Session" not in held
    ends_well(LAB, "status")


def unfinished() -> list[Path]:
    """What a making that was cut has left on this host."""
    cache = cache_root()
    return [*Path("/var/tmp").glob("bluegreen-lab-base.*"), *cache.glob("building/*"), *cache.glob(".*")]


@pytest.mark.parametrize("how", INTERRUPTED, ids=INTERRUPTED.get)
@pytest.mark.parametrize("name", CUTS)
def test_a_cut_command_ends_well_when_it_is_typed_again(
    name: str,
    how: signal.Signals,
    *,
    lab: Lab,
    chance: random.Random,
    times: int,
) -> None:
    chosen = CUTS[name]
    for _ in range(times):
        ends_well(*chosen.before)
        moment = chance.uniform(0.2, chosen.seconds)
        code = cut(chosen.words, moment, how)
        print(f"{name}: {INTERRUPTED[how]} after {moment:.1f} s: exit {code}", flush=True)
        for words in (chosen.between, chosen.words, chosen.after):
            ends_well(*words)
        is_whole(lab)
        assert unfinished() == []


@pytest.mark.parametrize("how", ["KILL", "INT"])
def test_a_deployment_by_ansible_may_be_cut(
    how: str, *, lab: Lab, shells: Mapping[str, Shell], chance: random.Random, times: int
) -> None:
    for _ in range(times):
        moment = chance.uniform(0.5, 20)
        # "true": what ends by a signal has no exit code, as if the connection had broken.
        shells[lab.master.name].run(f"timeout -s {how} {moment:.1f} {PLAYBOOK}; true", sudo=False)
        print(f"Ansible: {how} after {moment:.1f} s")
        ends_well(LAB, "exec", lab.master.name, "--", *shlex.split(PLAYBOOK))
        is_whole(lab)


def test_a_deployment_by_jenkins_may_be_cut(
    lab: Lab, shells: Mapping[str, Shell], chance: random.Random, times: int
) -> None:
    from lab.clients.jenkins import JenkinsClient  # noqa: PLC0415

    master = shells[lab.master.name]
    for _ in range(times):
        jenkins = JenkinsClient(lab)
        number = jenkins.trigger(lab.main_service.name)
        moment = chance.uniform(0.5, 12)
        master.run(f"timeout {moment:.1f} tail -f /dev/null; pkill -9 -f '[a]nsible-playbook'", check=False)
        result = jenkins.follow(lab.main_service.name, number).result
        print(f"Jenkins: its playbook killed after {moment:.1f} s: {result}")
        assert jenkins.build(lab.main_service.name).result == "SUCCESS"
        jenkins.close()
        is_whole(lab)
