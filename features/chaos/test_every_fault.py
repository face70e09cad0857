"""Every fault really bites and really ends: its sign is looked for before, during and after."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from faults import FAULTS, made
from faults.example import BEFORE, filled, words
from faults.leftovers import leftovers
from faults.targets import look
from lab.model import Lab
from lab.shell import Shell
from lab.waiting import wait_until
from scenarios.steps.faults import ScenarioFaults

pytestmark = pytest.mark.usefixtures("one_baseline")
TRIED = {name: kind.example for name, kind in FAULTS.items() if kind.example}


def test_every_fault_but_the_clock_is_tried() -> None:
    assert set(FAULTS) - set(TRIED) == {"clock"}  # which is the host's on container nodes


@pytest.mark.parametrize("name", TRIED)
def test_a_fault_bites_and_ends(
    name: str, lab: Lab, shells: Mapping[str, Shell], faults: ScenarioFaults
) -> None:
    example = TRIED[name]
    if len(lab.nodes) < example.needs:
        pytest.skip(f"it needs {example.needs} nodes")
    known = words(lab, look(lab, shells), example.target, faults.harness.chance)
    fault, target = made(name, **example.settings), filled(example.target, known)
    if target in ("any node", "the master"):  # the node that the words were made for
        target = known["node"]
    sign = filled(example.sign, known)
    shell = shells[lab.master.name if example.at == "master" else known["node"]]

    def is_there() -> bool:
        return shell.run(sign, check=False, timeout=15).exit == 0

    # What happens from now on is later, in whole seconds.
    shell.run(f"date +%s >{BEFORE}; until [ $(date +%s) -gt $(cat {BEFORE}) ]; do sleep 0.1; done")
    assert not is_there(), f"the sign of {name} is there before the fault"
    begun = faults.inject(fault, target, 30)
    if begun.undo[0].place is None and example.at == "node":
        shell.close()
    wait_until(is_there, 30, f"a sign of {name}")  # a machine that boots says so when it has
    faults.heal()
    assert leftovers(shells) == []
    if example.lasts:
        wait_until(lambda: not is_there(), 30, f"{name} to be gone")
