from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.shell import CommandFailed
from lab.testing import FakeShell, said
from provisioning import converge
from provisioning.converge import Change
from provisioning.resources import Resource


@dataclass(frozen=True)
class Fact:
    """The smallest resource: wanted is `right`; it also converges when `after` changed."""

    key: str
    after: str = ""

    @property
    def observe(self) -> str:
        return f"echo {self.key}"

    def converge(self, observed: str, changed: frozenset[str]) -> str | None:
        return None if observed == "right" and self.after not in changed else f"mend {self.key}"


A, B, C = Fact("a"), Fact("b", after="a"), Fact("c", after="b")
ALL: Sequence[Resource] = (A, B, C)


@pytest.mark.parametrize(
    ("output", "parts"),
    [
        ("@@ 0\nright\n@@ 1\nright\n@@ 2\nright\n", {"a": "right", "b": "right", "c": "right"}),
        ("@@ 0\n@@ 1\n\n@@ 2\n", {"a": "", "b": "", "c": ""}),
        ("@@ 0\none\ntwo\n\n@@ 1\nx\n", {"a": "one\ntwo", "b": "x", "c": ""}),
        ("a banner\n@@ 0\nx\n@@ 2\ny", {"a": "x", "b": "", "c": "y"}),
        ("", {"a": "", "b": "", "c": ""}),
    ],
    ids=["one line each", "nothing", "many lines", "a banner and a gap", "no output"],
)
def test_an_observation_is_parsed_by_resource(output: str, parts: dict[str, str]) -> None:
    assert converge.parse_observation(ALL, output) == parts


def test_an_observation_asks_every_resource_in_one_script() -> None:
    assert converge.observation(ALL) == "echo '@@ 0'\necho a\necho '@@ 1'\necho b\necho '@@ 2'\necho c"
    shell = FakeShell({"": said("@@ 0\nx\n@@ 1\n@@ 2\ny\n")})
    assert converge.observe(shell, ALL) == {"a": "x", "b": "", "c": "y"}
    assert len(shell.scripts) == 1


PLANS = {
    "all right": ({"a": "right", "b": "right", "c": "right"}, []),
    "nothing known": ({}, ["a", "b", "c"]),
    "the first changes what comes after it": ({"b": "right", "c": "right"}, ["a", "b", "c"]),
    "what comes later changes nothing before it": ({"a": "right", "b": "right"}, ["c"]),
    "the middle": ({"a": "right", "c": "right"}, ["b", "c"]),
}


@pytest.mark.parametrize("case", PLANS)
def test_a_plan_holds_the_differences_in_order(case: str) -> None:
    observed, keys = PLANS[case]
    assert converge.plan("n1", ALL, observed) == [Change("n1", key, f"mend {key}") for key in keys]


def test_a_resource_that_comes_before_what_it_waits_for_is_left_alone() -> None:
    assert [c.key for c in converge.plan("n1", [B, A], {"b": "right"})] == ["a"]


CHANGES = [Change("n1", "file:/a", "touch a"), Change("n1", "unit:b", "start b"), Change("n1", "c", "c")]


@pytest.mark.parametrize(
    ("stdout", "named"),
    [
        ("@@ file:/a\n@@ unit:b\nJob failed\n", "unit:b"),
        ("@@ file:/a\n", "file:/a"),
        ("", "nothing was begun"),
    ],
)
def test_the_change_that_failed_is_named(stdout: str, named: str) -> None:
    shell = FakeShell({"": said(stdout, exit=5, stderr="see the journal\n")}, node="n1")
    with pytest.raises(CommandFailed) as caught:
        converge.apply(shell, CHANGES)
    assert (caught.value.node, caught.value.what) == ("n1", f"exit 5 from: {named}")
    assert (caught.value.last_seen or "").endswith("see the journal")


def bash(changes: list[Change]) -> subprocess.CompletedProcess[str]:
    """What the script of `apply` does in a real bash."""
    shell = FakeShell({"": said()})
    converge.apply(shell, changes)
    return subprocess.run(["bash", "-c", shell.scripts[0]], check=False, capture_output=True, text=True)


def test_changes_end_at_the_first_that_fails_and_at_its_first_command() -> None:
    done = bash([Change("n", "a", "echo 1"), Change("n", "b", "false; echo 2"), Change("n", "c", "echo 3")])
    assert (done.returncode, done.stdout) == (1, "@@ a\n1\n@@ b\n")


def test_a_change_cannot_alter_the_shell_of_the_next() -> None:
    done = bash([Change("n", "a", "cd /; x=1; exit 0"), Change("n", "b", "echo x=${x:-} $PWD")])
    assert (done.returncode, done.stdout.splitlines()[2]) == (0, f"x= {os.getcwd()}")


def node(name: str, right: bool) -> FakeShell:
    word = "right" if right else "wrong"
    return FakeShell({"^set -e": said(), "": said(f"@@ 0\n{word}\n")}, node=name)


def test_changes_are_applied_only_where_there_are_any() -> None:
    shells = {name: node(name, right=name != "n2") for name in ("n1", "n2", "n3")}
    told: list[str] = []
    made = converge.converge(shells, {name: [A] for name in shells}, told.append)
    assert made == [Change("n2", "a", "mend a")]
    assert told == ["n2: a"]
    assert {name: len(shell.ran("^set -e")) for name, shell in shells.items()} == {"n1": 0, "n2": 1, "n3": 0}


def test_planning_alone_changes_nothing() -> None:
    shells = {name: node(name, right=False) for name in ("n2", "n1")}
    planned = converge.plan_all(shells, {name: [A] for name in shells})
    assert [change.node for change in planned] == ["n2", "n1"]
    assert [shell.ran("^set -e") for shell in shells.values()] == [[], []]


@pytest.mark.parametrize("is_own", [True, False])
def test_a_machine_that_will_be_given_back_notes_what_was_there_before_each_change(
    is_own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, noted = tmp_path / "keep", tmp_path / "noted"
    if is_own:
        keep.write_text(f'#!/bin/sh\necho "$1 $(ls {tmp_path}/x 2>&1 | grep -c cannot)" >>{noted}\n')
        keep.chmod(0o755)
    monkeypatch.setattr(converge, "KEEP", str(keep))
    change = converge.Change("here", "file:x", f"touch {tmp_path}/x")
    done = subprocess.run(
        ["bash", "-c", converge.script([change])], capture_output=True, text=True, check=True
    )
    assert done.stdout == "@@ file:x\n" and (tmp_path / "x").exists()
    assert noted.exists() == is_own
    assert not is_own or noted.read_text() == "file:x 1\n"  # it was not there yet
