"""The books service over a collection in memory, asked over HTTP as its users do."""

from __future__ import annotations

import importlib.util
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

SOURCE = Path(__file__).parents[3] / "provisioning/images/books-service/books_service.py"
EMMA = {"_id": "1", "title": "Emma", "author": "Jane Austen", "description": "A matchmaker errs."}


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("books_service", SOURCE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["books_service"] = module
    spec.loader.exec_module(module)
    return module


service = load()


class FakeCollection:
    """A collection in memory; `down` makes it fail as a database that is not there."""

    def __init__(self) -> None:
        self.books: dict[str, dict[str, Any]] = {}
        self.down = False
        self.delay = 0.0

    def _reached(self) -> None:
        time.sleep(self.delay)
        if self.down:
            raise service.DatabaseDown("no server")

    def find(self) -> Iterator[dict[str, Any]]:
        self._reached()
        return iter(list(self.books.values()))

    def find_one(self, query: dict[str, Any]) -> dict[str, Any] | None:
        self._reached()
        return self.books.get(query["_id"])

    def replace_one(self, query: dict[str, Any], book: dict[str, Any], *, upsert: bool) -> None:
        self._reached()
        assert upsert
        self.books[query["_id"]] = book

    def delete_one(self, query: dict[str, Any]) -> SimpleNamespace:
        self._reached()
        return SimpleNamespace(deleted_count=int(self.books.pop(query["_id"], None) is not None))


class Running:
    """The service on a free port, and what a user can do with it."""

    def __init__(self, release: str) -> None:
        self.collection = FakeCollection()
        settings = service.Settings(release, "blue", "swarm-node-01", 0, "unused")
        books = service.Books(self.collection, release)
        self.server = service.Server(("127.0.0.1", 0), books, settings)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.connection = HTTPConnection("127.0.0.1", self.server.server_port, timeout=5)

    def ask(self, method: str, path: str, body: object = None) -> tuple[HTTPResponse, Any]:
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        self.connection.request(method, path, content)
        answer = self.connection.getresponse()
        text = answer.read()
        return answer, json.loads(text) if text else None

    def close(self) -> None:
        self.connection.close()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    one = Running(getattr(request, "param", "1.0"))
    yield one
    one.close()


def test_a_book_put_is_listed_got_and_deleted(running: Running) -> None:
    assert running.ask("GET", "/api/v1/books")[1] == []
    assert running.ask("PUT", "/api/v1/books", EMMA)[0].status == 200
    assert running.ask("GET", "/api/v1/books")[1] == [EMMA]
    assert running.ask("GET", "/api/v1/books/_id/1")[1] == EMMA
    assert running.ask("DELETE", "/api/v1/books/_id/1")[0].status == 200
    assert running.ask("GET", "/api/v1/books/_id/1")[0].status == 404


def test_a_book_can_be_put_at_its_own_address(running: Running) -> None:
    answer, book = running.ask("PUT", "/api/v1/books/_id/a%20b", {"title": "Emma"})
    assert (answer.status, book["_id"], book["title"]) == (200, "a b", "Emma")


def test_the_list_is_in_order_of_id(running: Running) -> None:
    for book_id in ("2", "3", "1"):
        running.ask("PUT", "/api/v1/books", EMMA | {"_id": book_id})
    assert [book["_id"] for book in running.ask("GET", "/api/v1/books")[1]] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/api/v1/books", b"{", "not JSON"),
        ("/api/v1/books", b"\xff", "not JSON"),
        ("/api/v1/books", [1], "object"),
        ("/api/v1/books", {"title": "Emma"}, "needs an _id"),
        ("/api/v1/books/_id/2", EMMA, "the body says 1"),
        ("/api/v1/books", b"[" * 100_000, "not JSON"),
        ("/api/v1/books", EMMA | {"_id": ".."}, "neither . nor .."),
        ("/api/v1/books", EMMA | {"_id": "."}, "neither . nor .."),
        ("/api/v1/books", EMMA | {"_id": "a/../../b"}, "without a slash"),
        ("/api/v1/books/_id/a%2F..%2Fb", {"title": "Emma"}, "without a slash"),
        ("/api/v1/books", EMMA | {"_id": "x" * 201}, "at most 200 characters"),
        ("/api/v1/books", EMMA | {"_id": "\ud800"}, "half of a character"),
        ("/api/v1/books", EMMA | {"title": "\udfff"}, "half of a character"),
    ],
)
def test_a_wrong_body_is_a_400_that_says_why(running: Running, path: str, body: object, said: str) -> None:
    answer, told = running.ask("PUT", path, body)
    assert answer.status == 400
    assert said in told["error"]


@pytest.mark.parametrize("book_id", ["what?", "1?x", "a#b", "a b", "%2e%2e", "é", "x" * 200, "-", "a\nb"])
def test_whatever_its_id_a_book_that_was_taken_in_can_be_asked_for_and_forgotten(
    running: Running, book_id: str
) -> None:
    running.ask("PUT", "/api/v1/books", EMMA)
    assert running.ask("PUT", "/api/v1/books", EMMA | {"_id": book_id})[0].status == 200
    path = f"/api/v1/books/_id/{quote(book_id, safe='')}"
    assert running.ask("GET", path)[1]["_id"] == book_id
    assert running.ask("DELETE", path)[0].status == 200
    assert running.ask("GET", "/api/v1/books")[1] == [EMMA]


@pytest.mark.parametrize("length", ["²", "٣", "-1", "+1", "1e3", "", "0x10", "9" * 99])
def test_a_length_that_is_no_number_is_answered(running: Running, length: str) -> None:
    with socket.create_connection(("127.0.0.1", running.server.server_port), timeout=5) as raw:
        raw.sendall(f"PUT /api/v1/books HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
        assert raw.recv(100).startswith((b"HTTP/1.1 411", b"HTTP/1.1 413"))


def test_half_a_character_of_an_earlier_life_is_shown_as_an_escape(running: Running) -> None:
    running.collection.books["\ud800"] = EMMA | {"_id": "\ud800"}
    assert running.ask("GET", "/api/v1/books")[1][0]["_id"] == "\ud800"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api/v1/books/other", 404),
        ("GET", "/api/v1/books/_id/", 404),
        ("GET", "/api/v1/books/_id/none", 404),
        ("DELETE", "/api/v1/books/_id/none", 404),
        ("DELETE", "/api/v1/books", 405),
        ("POST", "/api/v1/books", 405),
    ],
)
def test_what_is_not_there_is_refused(running: Running, method: str, path: str, status: int) -> None:
    assert running.ask(method, path)[0].status == status


def test_without_its_database_it_answers_503_and_recovers(running: Running) -> None:
    running.collection.down = True
    for method, path in [("GET", "/api/v1/books"), ("DELETE", "/api/v1/books/_id/1")]:
        answer, told = running.ask(method, path)
        assert (answer.status, told["error"]) == (503, "the database does not answer")
    running.collection.down = False
    assert running.ask("GET", "/api/v1/books")[0].status == 200


def test_health_needs_no_database(running: Running) -> None:
    running.collection.down = True
    answer, told = running.ask("GET", "/health")
    assert (answer.status, told) == (200, {"status": "ok", "release": "1.0"})


@pytest.mark.parametrize("path", ["/api/v1/books", "/health", "/none"])
def test_every_answer_says_who_gave_it(running: Running, path: str) -> None:
    answer, _ = running.ask("GET", path)
    said = [answer.headers[name] for name in ("X-Release", "X-Color", "X-Node")]
    assert said == ["1.0", "blue", "swarm-node-01"]


@pytest.mark.parametrize("running", ["1.1", "1.10"], indirect=True)
def test_from_release_1_1_a_book_has_a_summary(running: Running) -> None:
    _, told = running.ask("PUT", "/api/v1/books", EMMA)
    assert told == EMMA | {"summary": "Emma by Jane Austen"}
    assert running.collection.books["1"] == EMMA  # what is stored is the same in every release


def test_a_head_request_has_no_body(running: Running) -> None:
    answer, told = running.ask("HEAD", "/api/v1/books")
    assert (answer.status, told) == (200, None)


def test_a_stop_waits_for_the_request_in_flight(running: Running) -> None:
    running.collection.delay = 0.2
    running.connection.request("GET", "/api/v1/books")
    while not running.server.in_flight:
        time.sleep(0.01)
    running.server.stopping = True
    running.server.shutdown()
    assert running.server.drain(2)
    answer = running.connection.getresponse()
    assert (answer.status, answer.headers["Connection"]) == (200, "close")


def test_a_database_that_hangs_does_not_hold_up_the_stop(running: Running) -> None:
    running.collection.delay = 0.5
    running.connection.request("GET", "/api/v1/books")
    while not running.server.in_flight:
        time.sleep(0.01)
    assert not running.server.drain(0.05)


def test_settings_come_from_the_environment() -> None:
    env = {"RELEASE": "1.1", "COLOR": "green", "NODE": "n", "DB_PORT_27017_TCP": "tcp://10.0.0.1:2"}
    assert service.Settings.read(env) == service.Settings("1.1", "green", "n", 8080, "10.0.0.1:2")


def test_the_node_is_the_host_when_nothing_else_is_said() -> None:
    assert service.Settings.read({"NODE": ""}).node == service.socket.gethostname()
