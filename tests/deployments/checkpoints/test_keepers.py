"""The keepers' own knowledge of a node, held to where it is made."""

from __future__ import annotations

from lab.environment import ROOT
from lab.providers import containers


def test_the_volumes_of_a_node_are_those_of_the_vagrantfile() -> None:
    kept = next(line for line in (ROOT / "Vagrantfile").read_text().splitlines() if line.startswith("KEPT ="))
    assert kept.count("=>") == len(containers.VOLUMES)
    assert all(f'"{suffix}" =>' in kept for suffix in containers.VOLUMES.values())
