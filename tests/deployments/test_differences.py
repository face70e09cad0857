"""What is put back, by what one look saw; at the baseline it is nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deployments import books
from deployments.differences import Difference, Kind, differences
from deployments.observed import Answer, Container, Observation
from lab import config
from lab.clients.consul import Instance
from provisioning.health import Seen

LAB = config.load(config.LAB_FILE)
BOOKS = LAB.main_service
MASTER = LAB.master.name


def found(seen: Observation) -> list[tuple[str, str, str]]:
    return [(one.kind.name, one.node, one.name) for one in differences(LAB, BOOKS, seen)]


def noted(seen: Observation, **other: Any) -> Observation:
    assert seen.noted
    return replace(seen, noted=replace(seen.noted, **other))


def changed(seen: Observation, name: str, **other: Any) -> Observation:
    """One container is another than it was."""
    return replace(
        seen, containers=tuple(replace(one, **other) if one.name == name else one for one in seen.containers)
    )


def without(seen: Observation, name: str) -> Observation:
    return replace(seen, containers=tuple(one for one in seen.containers if one.name != name))


GREEN = Container(
    "booksservice_green_1",
    "swarm-node-02",
    "running",
    "10.100.199.200:5000/books-service:1.1",
    "2026-01-01T11:00:00Z",
    addresses=("10.100.199.202:32770",),
)


def test_nothing_differs_at_the_baseline(at_baseline: Observation) -> None:
    assert found(at_baseline) == []


NOTED: dict[str, tuple[dict[str, Any], list[tuple[str, str, str]]]] = {
    "a lock": ({"is_locked": True}, [("LOCK", MASTER, "")]),
    "another release on blue": (
        {"releases": {"blue": "1.1", "green": "1.1"}},
        [("RELEASE", MASTER, "blue")],
    ),
    "a release that is not known": ({"releases": {"blue": "1.0"}}, [("RELEASE", MASTER, "green")]),
    "another color": ({"color": "green"}, [("UPSTREAM", MASTER, "")]),
    "no color": ({"color": ""}, [("UPSTREAM", MASTER, "")]),
    "another server": (
        {"upstream": "upstream books-service {\n  server 10.100.199.201:32769;\n}"},
        [("UPSTREAM", MASTER, "")],
    ),
    "two servers": (
        {"upstream": "upstream books-service { server 10.100.199.201:32768; server 10.100.199.202:32768; }"},
        [("UPSTREAM", MASTER, "")],
    ),
    "an empty upstream": ({"upstream": ""}, [("UPSTREAM", MASTER, "")]),
    "nginx was not told": (
        {"users": Answer("green", "1.1", tuple(books.BOOKS))},
        [("UPSTREAM", MASTER, "")],
    ),
    "users are not served": (
        {"users": Answer("", "", None)},
        [("UPSTREAM", MASTER, ""), ("BOOKS", MASTER, "")],
    ),
    "a book too few": ({"users": Answer("blue", "1.0", tuple(books.BOOKS[:2]))}, [("BOOKS", MASTER, "")]),
    "a book too many": (
        {"users": Answer("blue", "1.0", (*books.BOOKS, {"_id": "9"}))},
        [("BOOKS", MASTER, "")],
    ),
    "a changed book": (
        {"users": Answer("blue", "1.0", (*books.BOOKS[:2], {**books.BOOKS[2], "title": "?"}))},
        [("BOOKS", MASTER, "")],
    ),
    "a definition": ({"healing": ("/etc/consul.d/service-books-fe.json",)}, [("REST", MASTER, "")]),
    "a build": ({"is_building": True}, [("REST", MASTER, "")]),
}


@pytest.mark.parametrize("case", NOTED)
def test_what_the_master_knows_differs(case: str, at_baseline: Observation) -> None:
    other, wanted = NOTED[case]
    assert found(noted(at_baseline, **other)) == wanted


def test_after_a_cut_over_blue_is_only_started_and_green_goes_last(at_baseline: Observation) -> None:
    seen = changed(at_baseline, "booksservice_blue_1", state="exited", addresses=())
    seen = replace(seen, containers=(*seen.containers, GREEN))
    assert at_baseline.noted
    known = {**at_baseline.noted.known, "blue": (), "green": (Instance("g", GREEN.node, GREEN.addresses[0]),)}
    seen = noted(seen, color="green", known=known, users=Answer("green", "1.1", tuple(books.BOOKS)))
    assert found(seen) == [
        ("HALTED", "swarm-node-01", "booksservice_blue_1"),
        ("UPSTREAM", MASTER, ""),
        ("EXTRA", "swarm-node-02", "booksservice_green_1"),
    ]


BLUE_NAME = "booksservice_blue_1"
ANEW: dict[str, dict[str, Any]] = {
    "of another release": {"image": "10.100.199.200:5000/books-service:1.1"},
    "of another registry": {"image": "elsewhere/books-service:1.0"},
    "that knows the database elsewhere": {"env": ("DB_PORT_27017_TCP=tcp://10.100.199.202:27017",)},
    "that knows no database": {"env": ()},
    "that is dead": {"state": "dead"},
}


@pytest.mark.parametrize("case", ANEW)
def test_a_blue_is_made_anew(case: str, at_baseline: Observation) -> None:
    assert [kind for kind, *_ in found(changed(at_baseline, BLUE_NAME, **ANEW[case]))] == [
        "MISSING",
        "UPSTREAM",
    ]


def test_a_blue_that_is_gone_is_made_anew(at_baseline: Observation) -> None:
    kinds = [kind for kind, *_ in found(without(at_baseline, BLUE_NAME))]
    assert kinds == ["ENTRY", "MISSING", "UPSTREAM"]


def test_a_new_database_never_finds_what_an_earlier_one_kept(at_baseline: Observation) -> None:
    kinds = [kind for kind, *_ in found(without(at_baseline, "booksservice_db_1"))]
    assert kinds == ["ENTRY", "VOLUME", "MISSING", "UPSTREAM"]


@pytest.mark.parametrize("state", ["exited", "created", "paused"])
def test_a_stopped_database_is_started_before_users_are_sent(state: str, at_baseline: Observation) -> None:
    seen = changed(at_baseline, "booksservice_db_1", state=state)
    assert found(seen) == [("HALTED", "swarm-node-03", "booksservice_db_1"), ("UPSTREAM", MASTER, "")]


def test_of_two_of_one_name_the_one_that_runs_stays(at_baseline: Observation) -> None:
    old = next(one for one in at_baseline.containers if one.name == BLUE_NAME)
    left = replace(old, node="swarm-node-02", state="exited", created="2027", addresses=())
    seen = replace(at_baseline, containers=(left, *at_baseline.containers))
    assert found(seen) == [("EXTRA", "swarm-node-02", BLUE_NAME)]


def test_what_compose_renamed_goes(at_baseline: Observation) -> None:
    odd = Container("ab12_booksservice_blue_1", "swarm-node-01", "exited", "x", "2025")
    seen = replace(at_baseline, containers=(*at_baseline.containers, odd))
    assert found(seen) == [("EXTRA", "swarm-node-01", odd.name)]


def test_a_volume_goes_where_no_database_is(at_baseline: Observation) -> None:
    seen = replace(at_baseline, volumes=frozenset({"swarm-node-03", "swarm-node-01", "swarm-node-02"}))
    assert found(seen) == [("VOLUME", "swarm-node-01", ""), ("VOLUME", "swarm-node-02", "")]


@pytest.mark.parametrize("part", ["blue", "green"])
def test_an_entry_of_what_is_no_more_goes(part: str, at_baseline: Observation) -> None:
    assert at_baseline.noted
    old = Instance(f"books-service-{part}", "swarm-node-02", "10.100.199.202:32760")
    known = {**at_baseline.noted.known, part: (*at_baseline.noted.known[part], old)}
    assert found(noted(at_baseline, known=known)) == [("ENTRY", "swarm-node-02", part)]


def test_what_hides_the_rest_comes_alone_and_first(at_baseline: Observation) -> None:
    busy = noted(at_baseline, is_building=True, healing=("lab-heal-books-fe.service",), is_locked=True)
    assert [str(one) for one in differences(LAB, BOOKS, busy)] == [
        f"{MASTER}: lab-heal-books-fe.service; Jenkins builds"
    ]
    down = replace(busy, unwell=(Seen("docker", "swarm-node-01", "no answer"),), noted=None)
    assert [str(one) for one in differences(LAB, BOOKS, down)] == ["swarm-node-01: docker: no answer"]
    broken = replace(down, left=(("swarm-node-02", "folder: 0a0a"),))
    assert [str(one) for one in differences(LAB, BOOKS, broken)] == [
        "swarm-node-02: a fault left folder: 0a0a"
    ]


def test_a_difference_is_the_same_whatever_words_say_it() -> None:
    one, same = (Difference(Kind.COMPONENT, MASTER, "consul", seen) for seen in ("2 alive", "3 alive"))
    assert one == same and hash(one) == hash(same)
