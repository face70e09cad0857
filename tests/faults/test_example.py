"""How each fault is tried: its target means something, and its sign is a script of the shell."""

from __future__ import annotations

import dataclasses
import random
import subprocess

import pytest

from faults import FAULTS, made
from faults.example import answers, filled, slow, words
from faults.targets import Snapshot
from lab.model import Lab

EXAMPLES = {name: kind.example for name, kind in FAULTS.items() if kind.example}


def test_every_fault_that_a_container_node_can_have_is_tried() -> None:
    assert set(FAULTS) - set(EXAMPLES) == {"clock"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_has_a_target_and_settings_that_its_fault_takes(
    name: str, lab: Lab, snapshot: Snapshot, chance: random.Random
) -> None:
    example = EXAMPLES[name]
    known = words(lab, snapshot, example.target, chance)
    found = made(name, **example.settings).find(snapshot, filled(example.target, known), chance)
    assert found.nodes and example.at in ("node", "master")


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_sign_is_shell_without_a_word_left(
    name: str, lab: Lab, snapshot: Snapshot, chance: random.Random
) -> None:
    sign = filled(EXAMPLES[name].sign, words(lab, snapshot, EXAMPLES[name].target, chance))
    assert not [
        word
        for word in ("node", "other", "third", "blue", "database", "service", "seconds")
        if f"{{{word}}}" in sign
    ]
    done = subprocess.run(["bash", "-n"], input=sign, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_shell_keeps_its_own_braces() -> None:
    assert (
        filled("'{{.State}}' {blue} %{time_total} { exit; }", {"blue": "b"})
        == "'{{.State}}' b %{time_total} { exit; }"
    )


def test_the_node_that_is_hit_is_the_one_of_the_target(
    lab: Lab, snapshot: Snapshot, chance: random.Random
) -> None:
    known = words(lab, snapshot, "the node of the database", chance)
    assert (known["node"], known["other"], known["third"]) == (
        "swarm-node-03",
        "swarm-node-01",
        "swarm-node-02",
    )
    assert words(lab, snapshot, "{node} -> {other}", chance)["node"] == "swarm-node-01"


def test_a_lab_of_one_swarm_node_has_no_word_for_another(
    lab: Lab, snapshot: Snapshot, chance: random.Random
) -> None:
    one = dataclasses.replace(lab, nodes=(lab.master, lab.swarm_nodes[0]))
    known = words(one, snapshot, "{node}", chance)
    assert known["node"] == "swarm-node-01" and not {"other", "third"} & known.keys()


def test_a_question_is_as_patient_as_the_host_needs_it(
    lab: Lab, snapshot: Snapshot, chance: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_PATIENCE", "6")
    known = words(lab, snapshot, "any node", chance)
    assert "-m 6 " in filled(answers("localhost"), known)
    assert "-m 30 " in filled(slow(0.3), known)
