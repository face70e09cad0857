"""An engine that has another ID than the manager knows is taken back; with programs that are played."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from lab import config
from provisioning.build import Built
from provisioning.resources import Trouble
from provisioning.roles import swarm

LAB = config.load(config.LAB_FILE)
BUILT = Built({}, {"swarm": "d"}, ("", ""))
(TROUBLE,) = (one for one in swarm.resources(LAB, LAB.master, BUILT) if isinstance(one, Trouble))
ENGINES = [f"{node.address}:2375" for node in LAB.swarm_nodes]
ONE, TWO, THREE = ENGINES
# As `docker info` shows it.
LINES = "  swarm-node: {at}\n   └ ID: {id}|{at}\n   └ Status: Pending\n"


def run(played: Any, script: str, known: Mapping[str, str], own: Mapping[str, str]) -> Any:
    """`known` is what the manager says of engines, `own` what each says of itself: address -> ID."""
    info = "".join(LINES.format(at=at, id=id) for at, id in known.items())
    (played.state / "info").write_text(info)
    played.by_words("docker", {"*info": "cat $state/info"})
    answers = {f"*http://{at}/info": f"echo '{json.dumps({'ID': id})}'" for at, id in own.items()}
    played.by_words("curl", {**answers, "*-X DELETE*": "true"})
    return played.run(script)


SAME = {ONE: "AB:CD", TWO: "EF:GH", THREE: "IJ:KL"}
CASES: dict[str, tuple[dict[str, str], dict[str, str], list[str]]] = {
    "all are known": (SAME, SAME, []),
    "one was made anew": (SAME, SAME | {TWO: "ZZ:ZZ"}, [TWO]),
    "all were made anew": (SAME, {ONE: "1", TWO: "2", THREE: "3"}, ENGINES),
    "one is silent": (SAME, {ONE: "AB:CD", TWO: "EF:GH"}, []),
    "one is not there yet": ({ONE: "AB:CD"}, SAME, []),
    "the manager is silent": ({}, SAME, []),
}


@pytest.mark.parametrize("case", CASES)
def test_engines_of_another_id_than_is_known_are_told(case: str, played: Any) -> None:
    known, own, strangers = CASES[case]
    assert run(played, TROUBLE.observe, known, own).stdout.split() == strangers


def test_a_stranger_alone_is_taken_out_of_the_discovery(played: Any) -> None:
    assert TROUBLE.converge("", frozenset()) is None
    script = TROUBLE.converge(TWO, frozenset())
    assert script is not None
    assert run(played, script, SAME, SAME | {TWO: "ZZ:ZZ"}).returncode == 0
    (call,) = played.calls("DELETE")
    assert call.endswith(f"-X DELETE http://localhost:8500/v1/kv/swarm/docker/swarm/nodes/{TWO}")


def test_only_the_manager_is_looked_at() -> None:
    assert [one for one in swarm.resources(LAB, LAB.swarm_nodes[0], BUILT) if isinstance(one, Trouble)] == []
