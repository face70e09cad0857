"""kill -9 in the middle of every kind of fault: nothing of it is left at its deadline or after `heal --all`.

A child process injects; it is killed at a moment that the seed chooses, from the first write on.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from evidence import journal
from faults import FAULTS, history
from faults.example import filled, words
from faults.leftovers import leftovers
from faults.targets import look
from lab.clients.proxy import ProxyClient
from lab.model import Lab
from lab.shell import Shell
from lab.waiting import wait_until

pytestmark = pytest.mark.usefixtures("one_baseline")
LAB = str(Path(sys.executable).with_name("lab"))
SECONDS = 3.0
UNDONE = 60.0  # seconds: an undo begins at the deadline; that of an engine may wait 30 s for it to answer
LATEST = 0.6  # seconds after the first write at which the child is killed
TRIED = {name: kind.example for name, kind in FAULTS.items() if kind.example}


def test_every_kind_of_fault_but_the_clock_is_tried() -> None:
    assert set(FAULTS) - set(TRIED) == {"clock"}


def running(lab: Lab, shells: Mapping[str, Shell]) -> set[str]:
    containers = look(lab, shells).containers
    return {f"{one.name} on {one.node}" for one in containers if one.state == "running"}


def begin_and_kill(name: str, target: str, moment: float) -> history.Injected:
    """A child that injects, killed `moment` seconds after it wrote ahead; answers what it wrote."""
    path = journal.of_faults()
    before = len(history.faults(journal.read(path)))
    settings = [f"{key}={value}" for key, value in TRIED[name].settings.items()]
    line = [LAB, "fault", "inject", name, target, *settings, "--seconds", f"{SECONDS:g}"]
    with subprocess.Popen(
        line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    ) as child:
        try:

            def written() -> bool:
                return child.poll() is not None or len(history.faults(journal.read(path))) > before

            wait_until(written, 20, f"{name} to be written ahead")
            time.sleep(moment)  # a moment of chance in the injection is what is tried here
        finally:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself, which is told below
                os.killpg(child.pid, signal.SIGKILL)
        ended = child.communicate()[1].decode()
    assert child.returncode == -signal.SIGKILL, f"{name} ended by itself: {child.returncode}\n{ended}"
    return history.faults(journal.read(path))[-1]


@pytest.mark.parametrize("end", ["heal --all", "deadline"])
@pytest.mark.parametrize("name", TRIED)
def test_nothing_is_left_after_a_kill(
    name: str, end: str, *, lab: Lab, shells: Mapping[str, Shell], chance: random.Random, times: int
) -> None:
    for round_ in range(times):
        phase = as_before_after_a_kill(name, end, lab, shells, chance)
        print(f"{name}, {end}, round {round_ + 1}: killed when it was {phase}; nothing is left")


def as_before_after_a_kill(
    name: str, end: str, lab: Lab, shells: Mapping[str, Shell], chance: random.Random
) -> str:
    """Kill, let it end in one of the two ways, look; answers the phase in which the child was killed."""
    before = running(lab, shells)
    known = words(lab, look(lab, shells), TRIED[name].target, chance)
    begun = begin_and_kill(name, filled(TRIED[name].target, known), chance.uniform(0, LATEST))
    if end == "heal --all":
        done = subprocess.run([LAB, "fault", "heal", "--all"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    else:
        wait_until(lambda: time.time() > begun.deadline, 60, "the deadline")
        if any(action.place is None for action in begun.undo):
            # No timer lives on a dead node: the next command of any kind ends it.
            subprocess.run([LAB, "fault", "list"], check=True, capture_output=True)
    for shell in shells.values():
        shell.close()
    wait_until(
        lambda: not leftovers(shells),
        UNDONE,
        "nothing to be left",
        evidence=lambda: "\n".join(leftovers(shells)),
    )
    wait_until(lambda: running(lab, shells) >= before, 40, f"{before} to run")
    proxy = ProxyClient(lab)
    wait_until(proxy.books, 30, "users to be served again")
    proxy.close()
    return begun.phase
