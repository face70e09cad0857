from __future__ import annotations

import random

from faults import made
from faults.harness import plan
from faults.kinds.network import bridge, partition, ring
from faults.targets import Snapshot
from lab.model import Lab


def test_a_partition_cuts_both_ways_between_groups_and_nothing_within() -> None:
    cut = partition([("a", "b"), ("c",)])
    assert cut == {("a", "c"), ("c", "a"), ("b", "c"), ("c", "b")}


def test_a_node_outside_every_group_is_not_cut() -> None:
    assert {node for pair in partition([("a",), ("b",)]) for node in pair} == {"a", "b"}


def test_a_bridge_hears_both_halves() -> None:
    cut = bridge("m", ["m", "a", "b", "c"])
    assert cut == {("a", "c"), ("c", "a"), ("b", "c"), ("c", "b")}


def test_in_a_ring_of_four_each_misses_the_one_opposite() -> None:
    assert ring(["a", "b", "c", "d"]) == {("a", "c"), ("c", "a"), ("b", "d"), ("d", "b")}


def test_in_a_ring_of_three_nothing_is_cut() -> None:
    assert ring(["a", "b", "c"]) == frozenset()


def test_one_way_drops_only_what_the_first_sends(lab: Lab, snapshot: Snapshot) -> None:
    made_plan = plan(
        lab, snapshot, made("one-way"), "swarm-node-01 -> the master", 30, chance=random.Random(1)
    )
    master, node = made_plan.sites
    assert (master.silent, master.unheard) == (("10.100.199.201",), ())
    assert (node.silent, node.unheard) == ((), ("10.100.199.200",))


def test_a_bridge_leaves_its_own_node_alone(lab: Lab, snapshot: Snapshot) -> None:
    made_plan = plan(lab, snapshot, made("bridge"), "the master", 30, chance=random.Random(1))
    assert "swarm-master" not in {site.node.name for site in made_plan.sites}


def test_a_container_is_cut_at_the_port_it_publishes(lab: Lab, snapshot: Snapshot) -> None:
    made_plan = plan(lab, snapshot, made("port-block"), "the database", 30, chance=random.Random(1))
    [action] = made_plan.actions
    assert (action.place, "-p tcp --dport 27017 -j DROP" in action.inject) == ("swarm-node-03", True)
