"""books-service: books over HTTP, kept in MongoDB.

GET    /api/v1/books            every book
PUT    /api/v1/books            a book, its _id in the body
GET    /api/v1/books/_id/ID     one book
PUT    /api/v1/books/_id/ID     a book
DELETE /api/v1/books/_id/ID     forget it
GET    /health                  the process answers; no database needed

Environment: RELEASE, COLOR, NODE, PORT, DB_PORT_27017_TCP=tcp://ADDRESS:PORT.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

BOOKS = "/api/v1/books"
BOOK = BOOKS + "/_id/"
FIELDS = ("title", "author", "description")
BODY_LIMIT = 1_000_000  # bytes
ID_LIMIT = 200  # characters
PATIENCE = float(os.environ.get("LAB_PATIENCE", "1"))  # how many times slower than usual this host is
DATABASE_TIMEOUT = int(1000 * PATIENCE)  # milliseconds to find the database
QUESTION_TIMEOUT = int(1500 * PATIENCE)  # the same for a whole question, a second try included
IDLE_TIMEOUT = 15  # seconds a silent connection is kept
LINGER = 0.5  # seconds after SIGTERM in which requests are still taken: the proxy may just be turning away
GRACE = 0.3  # seconds the requests in flight get when the service stops

NODE_NAME = Path("/etc/node-name")  # the node's own host name, mounted into the container

Book = dict[str, Any]
ADDED_BY_RELEASE: dict[str, dict[str, Callable[[Book], Any]]] = {
    "1.1": {"summary": lambda book: f"{book['title']} by {book['author']}"},
}


def node_name() -> str:
    """The node this copy runs on, or the container's own host name where that is not told."""
    return NODE_NAME.read_text().strip() if NODE_NAME.is_file() else socket.gethostname()


class DatabaseDown(Exception):
    """The database gave no answer."""


class Collection(Protocol):
    """What the service needs of a pymongo collection."""

    def find(self) -> Iterator[Book]: ...
    def find_one(self, query: Book) -> Book | None: ...
    def replace_one(self, query: Book, book: Book, *, upsert: bool) -> Any: ...
    def delete_one(self, query: Book) -> Any: ...


@dataclass(frozen=True)
class Settings:
    """Who this copy of the service is and where its database and its users are."""

    release: str
    color: str
    node: str
    port: int
    database: str  # address:port

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Settings:
        return cls(
            release=env.get("RELEASE", "1.0"),
            color=env.get("COLOR", ""),
            node=env.get("NODE") or node_name(),
            port=int(env.get("PORT", "8080")),
            database=env.get("DB_PORT_27017_TCP", "tcp://db:27017").removeprefix("tcp://"),
        )


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any


def version(release: str) -> tuple[int, ...]:
    """'1.10' -> (1, 10)."""
    return tuple(int(part) for part in release.split(".") if part.isdigit())


def shown(book: Book, release: str) -> Book:
    """The book as this release shows it: what is stored, and the fields added up to this release."""
    complete: Book = {"_id": book["_id"]} | {field: book.get(field, "") for field in FIELDS}
    added = {
        field: value(complete)
        for since, fields in ADDED_BY_RELEASE.items()
        if version(since) <= version(release)
        for field, value in fields.items()
    }
    return complete | added


def parsed(body: bytes, book_id: str | None) -> Book:
    """The book to store. Raises ValueError that says what is wrong with the body."""
    try:
        book = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {error}") from error
    if not isinstance(book, dict):
        raise ValueError("the body must be a JSON object")
    chosen = book_id if book_id is not None else str(book.get("_id", ""))
    if not chosen:
        raise ValueError("a book needs an _id")
    if book_id is not None and str(book.get("_id", book_id)) != book_id:
        raise ValueError(f"the address says _id {book_id}, the body says {book['_id']}")
    refuse_unaddressable(chosen)
    complete = {"_id": chosen} | {field: str(book.get(field, "")) for field in FIELDS}
    try:
        "".join(complete.values()).encode()
    except UnicodeEncodeError as error:
        raise ValueError("half of a character is no text: a lone surrogate") from error
    return complete


def refuse_unaddressable(book_id: str) -> None:
    """Raises ValueError for an _id that no address can say: a proxy takes these for ways to other places."""
    if book_id in (".", "..") or "/" in book_id or len(book_id) > ID_LIMIT:
        raise ValueError(f"an _id is at most {ID_LIMIT} characters without a slash, and neither . nor ..")


class Books:
    """Answers requests about books; knows the collection, not the network."""

    def __init__(self, collection: Collection, release: str) -> None:
        self.collection = collection
        self.release = release

    def answer(self, method: str, path: str, body: bytes = b"") -> Answer:
        if path == "/health" and method == "GET":
            return Answer(200, {"status": "ok", "release": self.release})
        try:
            return self._books(method, path, body)
        except ValueError as error:
            return Answer(400, {"error": str(error)})
        except DatabaseDown as error:
            return Answer(503, {"error": "the database does not answer", "detail": str(error)})

    def _books(self, method: str, path: str, body: bytes) -> Answer:
        book_id = unquote(path.removeprefix(BOOK)) if path.startswith(BOOK) else None
        if not book_id and path.rstrip("/") != BOOKS:
            return Answer(404, {"error": f"nothing at {path}"})
        if method == "PUT":
            return self._put(parsed(body, book_id))
        if method == "GET":
            return self._get(book_id) if book_id else self._list()
        if method == "DELETE" and book_id:
            return self._delete(book_id)
        return Answer(405, {"error": f"{method} is not for {path}"})

    def _list(self) -> Answer:
        found = sorted(self.collection.find(), key=lambda book: str(book["_id"]))
        return Answer(200, [shown(book, self.release) for book in found])

    def _get(self, book_id: str) -> Answer:
        book = self.collection.find_one({"_id": book_id})
        return Answer(200, shown(book, self.release)) if book else unknown(book_id)

    def _put(self, book: Book) -> Answer:
        self.collection.replace_one({"_id": book["_id"]}, book, upsert=True)
        return Answer(200, shown(book, self.release))

    def _delete(self, book_id: str) -> Answer:
        gone = self.collection.delete_one({"_id": book_id}).deleted_count
        return Answer(200, {"_id": book_id, "deleted": True}) if gone else unknown(book_id)


def unknown(book_id: str) -> Answer:
    return Answer(404, {"error": f"no book with _id {book_id}"})


class Server(ThreadingHTTPServer):
    """Serves Books and knows how many requests are in flight."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], books: Books, settings: Settings) -> None:
        self.books = books
        self.headers = {
            "X-Release": settings.release,
            "X-Color": settings.color,
            "X-Node": settings.node,
        }
        self.stopping = False
        self.in_flight = 0
        self.changed = threading.Condition()
        super().__init__(address, Handler)

    def __enter__(self) -> Server:
        return self

    def count(self, step: int) -> None:
        with self.changed:
            self.in_flight += step
            self.changed.notify_all()

    def drain(self, timeout: float = GRACE) -> bool:
        """Wait until no request is in flight; False when time ran out."""
        with self.changed:
            return self.changed.wait_for(lambda: self.in_flight == 0, timeout)


class Handler(BaseHTTPRequestHandler):
    server: Server
    server_version = "books-service"
    protocol_version = "HTTP/1.1"
    timeout = IDLE_TIMEOUT
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet an answer

    def _handle(self) -> None:
        self.server.count(+1)
        try:
            self._send(self._answer())
        finally:
            self.server.count(-1)

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = _handle

    def _answer(self) -> Answer:
        length = self.headers.get("Content-Length", "0")
        if self.headers.get("Transfer-Encoding") or not re.fullmatch("[0-9]{1,15}", length):
            self.close_connection = True
            return Answer(411, {"error": "send a Content-Length"})
        if int(length) > BODY_LIMIT:
            self.close_connection = True
            return Answer(413, {"error": f"a body of more than {BODY_LIMIT} bytes"})
        body = self.rfile.read(int(length))
        method = "GET" if self.command == "HEAD" else self.command
        try:
            return self.server.books.answer(method, urlsplit(self.path).path, body)
        except Exception as error:  # a bug is an answer too, never a dropped connection
            print(f"{self.command} {self.path}: {error!r}", file=sys.stderr)
            return Answer(500, {"error": repr(error)})

    def _send(self, answer: Answer) -> None:
        # What an earlier version took in may hold half a character: it is written as JSON's own escape.
        content = json.dumps(answer.body, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        if self.server.stopping:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    def end_headers(self) -> None:
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        super().end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Only failures are worth a line: health checks come every few seconds."""
        if int(code) >= HTTPStatus.INTERNAL_SERVER_ERROR:
            super().log_request(code, size)


class MongoBooks:
    """The books collection of a MongoDB that may come later, go away and come back."""

    def __init__(self, address: str) -> None:
        # Only here, so that everything else of this file runs and is tested without the driver.
        import pymongo  # noqa: PLC0415
        from pymongo.errors import PyMongoError  # noqa: PLC0415

        # Connecting is lazy: a database that is not there yet is met by the requests, as DatabaseDown.
        client: Any = pymongo.MongoClient(
            f"mongodb://{address}/",
            serverSelectionTimeoutMS=DATABASE_TIMEOUT,
            connectTimeoutMS=DATABASE_TIMEOUT,
            timeoutMS=QUESTION_TIMEOUT,
            directConnection=True,
        )
        self.collection = client["books"]["books"]
        self.failure = PyMongoError

    def _ask(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except self.failure as error:
            raise DatabaseDown(str(error).split(" (configured")[0]) from error

    def find(self) -> Iterator[Book]:
        found: list[Book] = self._ask(lambda: list(self.collection.find()))
        return iter(found)

    def find_one(self, query: Book) -> Book | None:
        book: Book | None = self._ask(lambda: self.collection.find_one(query))
        return book

    def replace_one(self, query: Book, book: Book, *, upsert: bool) -> Any:
        return self._ask(lambda: self.collection.replace_one(query, book, upsert=upsert))

    def delete_one(self, query: Book) -> Any:
        return self._ask(lambda: self.collection.delete_one(query))


def stop_on_signal(server: Server) -> None:
    """SIGTERM and SIGINT end serve_forever after LINGER; as PID 1 they would be ignored otherwise."""

    def stop(number: int, frame: FrameType | None) -> None:
        server.stopping = True
        threading.Timer(LINGER, server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def main() -> None:
    settings = Settings.read(os.environ)
    books = Books(MongoBooks(settings.database), settings.release)
    server = Server(("", settings.port), books, settings)
    stop_on_signal(server)
    print(f"books-service {settings.release} {settings.color} on port {settings.port}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    drained = server.drain()
    print("stopped" if drained else "stopped with requests in flight", flush=True)
    os._exit(0)  # the driver's background threads must not hold up the exit


if __name__ == "__main__":
    main()
