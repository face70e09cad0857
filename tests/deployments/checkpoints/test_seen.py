"""How two looks at a lab differ."""

from __future__ import annotations

from deployments.checkpoints import seen

SAVED = {
    "answers": ("books-service 1.0 on blue, from swarm-node-01",),
    "books": ('{"_id": "1"}', '{"_id": "2"}'),
    "builds": ("books-service 1 SUCCESS",),
    "containers": ("swarm-node-01 booksservice_blue_1 running x:1.0", "swarm-node-02 old exited x:0.9"),
}


def test_a_lab_that_is_as_it_was_saved_does_not_differ() -> None:
    assert seen.differences(SAVED, dict(SAVED)) == []


def test_what_is_gone_and_what_came_is_told_by_its_part() -> None:
    now = SAVED | {"books": ('{"_id": "1"}', '{"_id": "3"}')}
    assert seen.differences(SAVED, now) == ['books: lacks {"_id": "2"}', 'books: has besides {"_id": "3"}']


def test_a_part_that_one_look_lacks_differs() -> None:
    now = {part: lines for part, lines in SAVED.items() if part != "builds"}
    assert seen.differences(SAVED, now) == ["builds: lacks books-service 1 SUCCESS"]


def test_only_containers_that_ran_are_started_again() -> None:
    assert seen.running(SAVED) == [("swarm-node-01", "booksservice_blue_1")]


def test_live_releases_are_told_without_their_nodes() -> None:
    assert seen.live(SAVED) == ["books-service 1.0 on blue"]


def test_an_upstream_is_told_by_its_nodes_and_not_by_its_ports() -> None:
    text = "upstream b {\n  server 10.0.0.2:32768;\n  server 10.0.0.1:4;\n}"
    assert seen.upstream_nodes(text) == "10.0.0.1 10.0.0.2"
    assert seen.upstream_nodes("") == "nowhere"
