from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from evidence import journal, watching
from evidence.journal import Entry, Journal
from evidence.watching import ConsulLook, LogWatcher, Sieve, State, SwarmLook, Watcher
from lab import config, waiting
from lab.clients.swarm import Placed
from lab.errors import LabError

HEALING, PROXY = "/data/consul/logs/watchers.log", "/data/nginx/logs/error.log"
LAB = config.load(config.LAB_FILE)


def of(**states: str) -> State:
    return {key: {"what": key, "now": now} for key, now in states.items()}


def test_only_what_changed_is_told() -> None:
    found = watching.changes(of(a="passing", b="passing", c="x"), of(a="critical", b="passing", d="new"))
    assert [(one["what"], one["was"], one["now"]) for one in found] == [
        ("a", "passing", "critical"),
        ("c", "x", ""),
        ("d", "", "new"),
    ]


def test_consuls_checks_are_known_by_node_and_name() -> None:
    answer = [{"Node": "m", "CheckID": "api", "ServiceName": "books-service", "Status": "critical", "X": 1}]
    assert watching.checks(answer) == {
        "m/api": {"node": "m", "check": "api", "service": "books-service", "now": "critical"}
    }


def test_only_colors_are_read_of_consuls_keys() -> None:
    keys = [
        {"Key": "services/books-service/color", "Value": base64.b64encode(b"green").decode()},
        {"Key": "services/books-service/lock", "Value": None},
        {"Key": "services/other/color", "Value": None},
    ]
    assert watching.colors(keys) == {
        "services/books-service/color": {"color_of": "books-service", "now": "green"}
    }


def test_a_build_is_building_or_has_its_result() -> None:
    answer = {
        "jobs": [
            {
                "name": "books",
                "builds": [
                    {"number": 2, "building": True, "result": None},
                    {"number": 1, "building": False, "result": "SUCCESS", "duration": 4200},
                ],
            }
        ]
    }
    found = watching.builds(answer)
    assert [(one["build"], one["now"], one["seconds"]) for one in found.values()] == [
        (2, "building", 0),
        (1, "SUCCESS", 4.2),
    ]


@pytest.mark.parametrize(
    ("source", "text", "kept"),
    [
        (HEALING, ">>> Service books-service is critical", True),
        (HEALING, "[]", False),
        (HEALING, "Consul watch request:", False),
        (PROXY, "connect() failed", True),
        ("journal", "level=error msg=...", True),
        ("journal", "[WARN]  agent.auto_config: bootstrap = true", False),
        ("journal", "level=info msg=daily talk", False),
        ("journal", "   ", False),
    ],
)
def test_a_lines_place_and_words_make_it_worth_keeping(source: str, text: str, kept: bool) -> None:
    assert watching.interesting(source, text) is kept


def test_lines_that_differ_in_numbers_only_are_counted() -> None:
    sieve = Sieve()
    told = [sieve.kept(f"error {n}: refused", 1000 + n) for n in range(4)] + [sieve.kept("other", 1004.0)]
    assert told == [["error 0: refused"], [], [], [], ["(3 lines more)", "other"]]


def test_a_line_is_told_again_after_a_while() -> None:
    sieve = Sieve()
    assert sieve.kept("error 1", 1000) == ["error 1"]
    assert sieve.kept("error 2", 1000 + watching.ALIKE) == ["error 2"]


def test_two_lines_that_come_in_turn_are_kept_once_each() -> None:
    sieve = Sieve()
    told = [line for n in range(6) for line in sieve.kept(f"{'GET' if n % 2 else 'PUT'} {n}", 1000 + n)]
    assert told == ["PUT 0", "GET 1"]


def test_of_a_flood_only_the_beginning_is_kept() -> None:
    sieve = Sieve()
    words = [f"line {chr(97 + n % 26) * (n + 1)}" for n in range(100)]
    kept = [line for word in words for line in sieve.kept(word, 1000.5)]
    assert kept == words[: watching.LINES_A_SECOND]


# --- the watchers ------------------------------------------------------------------------------------------


@pytest.fixture
def book(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.jsonl")


def told(book: Journal) -> list[Entry]:
    return journal.read(book.path)


def watcher(book: Journal, *answers: State | Exception) -> Watcher:
    left: Iterator[State | Exception] = iter(answers)

    def look() -> State:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Watcher("consul", "Consul", look, book, 0.01)


def test_the_first_look_is_marked_and_only_changes_follow(book: Journal) -> None:
    watching_it = watcher(book, of(a="passing"), of(a="passing"), of(a="critical"))
    for _ in range(3):
        watching_it.step()
    assert [(e.facts()["now"], e.facts().get("first", False)) for e in told(book)] == [
        ("passing", True),
        ("critical", False),
    ]


def test_a_dead_one_is_told_once_and_the_watcher_goes_on(book: Journal) -> None:
    dead = LabError("Consul does not answer")
    watching_it = watcher(book, of(a="x"), dead, dead, OSError("gone"), of(a="y"))
    for _ in range(5):
        watching_it.step()
    assert [entry.facts()["now"] for entry in told(book)] == ["x", "does not answer", "answers again", "y"]


def test_a_slow_host_is_looked_at_less_often(book: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(waiting.PATIENCE, "6")
    watcher, pauses = Watcher("swarm", "Swarm", dict, book, 0.5), []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        watcher.end()

    monkeypatch.setattr(watcher._ended, "wait", pause)
    watcher.run()
    assert pauses == [3.0]


def test_a_watchers_thread_survives_what_its_look_raises(book: Journal) -> None:
    watching_it = watcher(book, ZeroDivisionError(), of(a="x"))  # then StopIteration, again and again
    watching_it.start()
    watching_it.join(0.3)
    assert watching_it.is_alive()
    watching_it.end()
    watching_it.join(2)
    assert not watching_it.is_alive()


def consul(handler: Callable[[httpx.Request], httpx.Response], **options: str) -> ConsulLook:
    client = httpx.Client(transport=httpx.MockTransport(handler))
    return ConsulLook("http://consul/v1/kv/services/", watching.colors, client, **options)


def test_consul_is_asked_to_wait_for_a_change_since_the_last_answer() -> None:
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        return httpx.Response(200, json=[], headers={"X-Consul-Index": "42"})

    look = consul(answer, recurse="true")
    look()
    look()
    assert [(one["index"], one["recurse"]) for one in asked] == [("0", "true"), ("42", "true")]


def test_after_an_error_consul_is_asked_without_waiting() -> None:
    answers = iter([httpx.Response(200, json=[], headers={"X-Consul-Index": "42"}), httpx.Response(500)])
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["index"])
        return next(answers, httpx.Response(404))

    look = consul(answer)
    look()
    with pytest.raises(httpx.HTTPError):
        look()
    assert look() == {}
    assert asked == ["0", "42", "0"]


def test_containers_of_one_name_on_two_nodes_are_two() -> None:
    class Swarm:
        def containers(self) -> tuple[Placed, ...]:
            return tuple(Placed("registrator", node, "running", "image") for node in ("n1", "n2"))

    connect: Any = lambda lab: Swarm()  # noqa: E731
    assert list(SwarmLook(LAB, connect)()) == ["n1/registrator", "n2/registrator"]


def test_lines_of_two_files_keep_their_source_and_lose_their_paint(book: Journal) -> None:
    LogWatcher("m", "tail", HEALING, book).take(
        ["==> /data/nginx/logs/error.log <==\n", "[error] no\n", "", f"==> {HEALING} <==\n",
         ">>> \x1b[0;31mService is critical\x1b[0;0m\n"]
    )  # fmt: skip
    assert [(e.facts()["source"], e.facts()["text"]) for e in told(book)] == [
        (HEALING, ">>> Service is critical")
    ]


def test_a_log_watcher_starts_again_when_ssh_ends_and_stops_when_told(
    book: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "ssh"
    fake.write_text("#!/bin/sh\necho level=error\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    thread = LogWatcher("m", "journalctl", "journal", book)
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    thread.end()
    thread.join(3)
    assert not thread.is_alive()
    assert json.loads(book.path.read_text().splitlines()[0])["text"] == "level=error"
