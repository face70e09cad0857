"""The phases of `lab up`, in their order; a host that cannot is refused before anything is made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from deployments import baseline, books, bring_up
from lab import config, engine, labs, machines, network
from lab.clients.consul import ConsulClient
from lab.errors import HostError
from provisioning import build, doctor, health, provision, supply
from provisioning.bundle import taking

LAB = config.load(config.LAB_FILE)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done, in its order; nothing of it really is."""
    did: list[str] = []

    def noted(name: str, answer: Any = None) -> Callable[..., Any]:
        return lambda *_, **__: did.append(name) or answer

    every = frozenset(node.name for node in LAB.nodes)
    for room, name, answer in (
        (doctor, "refuse", None),
        (labs, "refuse_other_file", None),
        (network, "refuse_clash", None),
        (build, "make", None),
        (build, "record", None),
        (engine, "remember", None),
        (machines, "answering", every - {"swarm-node-02"}),
        (machines, "up", None),
        (machines, "shells", dict.fromkeys(every)),
        (provision, "provision", []),
        (baseline, "first_release", None),
        (books, "ensure", None),
        (ConsulClient, "live_color", None),
        (health, "wait", None),
    ):
        monkeypatch.setattr(room, name, noted(f"{room.__name__.rpartition('.')[2]}.{name}", answer))
    keys: dict[str, str] = {}
    monkeypatch.setattr(ConsulClient, "__init__", lambda *_: None)
    monkeypatch.setattr(ConsulClient, "note", lambda _, key, value: keys.update({key: value}))
    monkeypatch.setattr(ConsulClient, "noted", lambda _, key: keys.get(key))
    monkeypatch.setattr(ConsulClient, "forget", lambda _, key: keys.pop(key))
    return did


def test_the_phases_are_in_their_order(done: list[str]) -> None:
    said: list[str] = []
    bring_up.bring_up(LAB, said.append)
    assert done == [
        *("doctor.refuse", "labs.refuse_other_file", "network.refuse_clash", "build.make"),
        *("engine.remember", "machines.answering", "machines.up", "machines.shells"),
        *("build.record", "provision.provision", "ConsulClient.live_color"),
        *("baseline.first_release", "books.ensure", "health.wait"),
    ]
    assert "starting swarm-node-02" in said and said[-1] == "every component answers"


def test_with_a_bundle_it_comes_first_and_what_is_made_knows_of_it(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    monkeypatch.setattr(taking, "take_in", lambda lab, source, say: done.append("take_in"))
    monkeypatch.setattr(build, "make", lambda lab, say, bundle: given.append(bundle))
    bring_up.bring_up(LAB, lambda _: None, "lab.bundle")
    assert done[:2] == ["take_in", "doctor.refuse"] and given == ["lab.bundle"]


def test_each_phase_is_told_as_it_begins_and_ends(done: list[str]) -> None:
    told: list[str] = []

    @contextmanager
    def phase(name: str) -> Iterator[None]:
        told.append(name)
        yield
        told.append(done[-1])

    bring_up.bring_up(LAB, lambda _: None, phase=phase)
    assert told == [
        *("a look at the host", "network.refuse_clash", "builds", "build.make", "machines", "machines.up"),
        *("stages", "provision.provision", "first release", "books.ensure", "health", "health.wait"),
    ]


def test_books_are_not_touched_where_a_color_is_live(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ConsulClient, "live_color", lambda *_: "green")
    bring_up.bring_up(LAB, lambda _: None)
    assert "baseline.first_release" in done and "books.ensure" not in done


def test_books_that_a_cut_bring_up_did_not_bring_are_brought_by_the_next_one(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as first:
        first.setattr(books, "ensure", cut)
        with pytest.raises(KeyboardInterrupt):
            bring_up.bring_up(LAB, lambda _: None)
    monkeypatch.setattr(ConsulClient, "live_color", lambda *_: "blue")
    for _ in range(2):
        bring_up.bring_up(LAB, lambda _: None)
    assert done.count("books.ensure") == 1


LOOKS = [(doctor, "refuse"), (labs, "refuse_other_file"), (network, "refuse_clash")]


@pytest.mark.parametrize(("room", "name"), LOOKS)
def test_nothing_is_made_on_a_host_that_cannot(
    room: Any, name: str, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise HostError("it cannot")

    monkeypatch.setattr(room, name, refuse)
    with pytest.raises(HostError):
        bring_up.bring_up(LAB, lambda _: None)
    looks = {f"{room.__name__.rpartition('.')[2]}.{name}" for room, name in LOOKS}
    assert {*done} <= looks


@pytest.mark.parametrize(
    ("provider", "times"), [("docker", 0), ("libvirt", 1), ("virtualbox", 1), ("ssh", 1)]
)
def test_machines_that_do_not_mount_this_host_are_given_their_share(
    provider: str, times: int, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supply, "supply", lambda *_: done.append("supply"))
    bring_up.bring_up(dataclasses.replace(LAB, provider=provider), lambda _: None)
    assert done.count("supply") == times
