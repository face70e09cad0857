"""What keeps the lab from taking a machine; each line a machine that differs in one thing."""

from __future__ import annotations

import dataclasses

import pytest

from lab import config
from lab.errors import LabError
from lab.model import Access
from lab.providers.own import facts

LAB = config.load(config.LAB_FILE)
NODE = LAB.swarm_nodes[0]
TEXT = """system=debian 13
init=systemd
architecture=amd64
has_address=1
disk=9000
memory=2000
claim=
claimed_by=
containers=0
vagrant=
host_key=ssh-ed25519 AAAAhost
"""
GOOD = facts.parse(TEXT)


def refused(seen: facts.Facts, node: object = NODE) -> list[str]:
    return facts.refusals(LAB, node, seen, "AAAAmine", "amd64")  # type: ignore[arg-type]


def test_a_machine_with_all_that_is_needed_is_taken() -> None:
    assert refused(GOOD) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"system": "ubuntu 24.04"}, "its system is ubuntu 24.04: it must be debian 12 or debian 13"),
        ({"init": "tini"}, "its init is tini"),
        ({"architecture": "arm64"}, "it is arm64, and the lab's programs here are built for amd64"),
        ({"has_address": False}, f"none of its interfaces has the address {NODE.address}"),
        ({"host_key": ""}, "its SSH server has no key of the kind ed25519"),
        ({"disk": 100}, "100 MB are free below /var/lib"),
        ({"memory": 100}, "it has 100 MB of memory"),
        ({"has_vagrant": True}, "it has a user vagrant already"),
        ({"taken": ("8500 by consul",)}, "port 8500 by consul: stop it"),
        ({"containers": 3}, "its engine has 3 containers: the lab joins them with ssh: {shared: true}"),
        ({"claimed_by": "AAAAother", "claim": "theirs"}, "it belongs to the lab theirs"),
        ({"claimed_by": "AAAAmine", "claim": "second"}, "it belongs to the lab second"),
    ],
)
def test_what_is_missing_or_somebodys_is_said_with_the_node(change: dict[str, object], words: str) -> None:
    (line,) = refused(dataclasses.replace(GOOD, **change))  # type: ignore[arg-type]
    assert line.startswith(f"{NODE.name}: {words}")


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert len(refused(dataclasses.replace(GOOD, disk=1, memory=1, has_vagrant=True))) == 3


def test_a_machine_that_is_the_labs_already_is_not_asked_about_what_the_lab_put_there() -> None:
    ours = {"claimed_by": "AAAAmine", "claim": LAB.name}
    busy = dataclasses.replace(
        GOOD, **ours, has_vagrant=True, containers=5, disk=1, taken=("8500 by consul",)
    )
    assert refused(busy) == []


def test_a_claim_that_was_cut_before_its_last_line_is_the_labs_own() -> None:
    assert refused(dataclasses.replace(GOOD, claimed_by="AAAAmine", claim="", has_vagrant=True)) == []


def test_containers_of_others_are_joined_where_the_file_says_so() -> None:
    node = dataclasses.replace(NODE, ssh=Access("there", shared=True))
    assert refused(dataclasses.replace(GOOD, containers=3), node) == []


def test_the_master_is_a_debian_12() -> None:
    assert refused(GOOD, LAB.master) == [f"{LAB.master.name}: its system is debian 13: it must be debian 12"]


def test_every_port_that_is_taken_is_read() -> None:
    seen = facts.parse(TEXT + "taken=80 by nginx\ntaken=8500 by consul\n")
    assert seen.taken == ("80 by nginx", "8500 by consul")


@pytest.mark.parametrize("text", ["", "system=debian 12\n", TEXT.replace("disk=9000", "disk=")])
def test_another_answer_is_an_error_that_shows_it(text: str) -> None:
    with pytest.raises(LabError, match="other than expected"):
        facts.parse(text)
