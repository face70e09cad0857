"""The three books of the baseline, and what is mended when others are there."""

from __future__ import annotations

from typing import Any

import pytest

from deployments import books
from lab import config, waiting
from lab.errors import LabError

LAB = config.load(config.LAB_FILE)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PAUSE", 0.0)


@pytest.mark.parametrize(
    ("book", "kept"),
    [
        (dict(books.BOOKS[0]), dict(books.BOOKS[0])),
        ({**books.BOOKS[0], "release": "1.1", "rating": 5}, dict(books.BOOKS[0])),
        ({"_id": "9"}, {"_id": "9"}),
        ({}, {}),
    ],
    ids=["as it is", "with more fields", "with fewer", "empty"],
)
def test_a_book_is_kept_without_what_a_release_adds(book: dict[str, object], kept: dict[str, object]) -> None:
    assert books.kept(book) == kept


def test_the_books_differ_in_their_ids_and_have_every_field() -> None:
    assert [book["_id"] for book in books.BOOKS] == ["1", "2", "3"]
    assert {frozenset(book) for book in books.BOOKS} == {books.FIELDS}


class FakeProxy:
    """In place of ProxyClient: books in memory, and what was asked of them."""

    def __init__(self, books: list[dict[str, Any]], refuses: int = 0, refuses_writing: int = 0) -> None:
        self.there, self.refuses, self.refuses_writing = books, refuses, refuses_writing
        self.asked: list[tuple[str, str]] = []
        self.closed = False

    def books(self) -> list[dict[str, Any]]:
        if self.refuses:
            self.refuses -= 1
            raise LabError("502 to GET /api/v1/books")
        return self.there

    def put(self, book: dict[str, Any]) -> None:
        if self.refuses_writing:
            self.refuses_writing -= 1
            raise LabError("503 to PUT /api/v1/books")
        self.asked.append(("put", book["_id"]))

    def delete(self, book_id: str) -> None:
        self.asked.append(("delete", book_id))

    def close(self) -> None:
        self.closed = True


ONE, TWO, THREE = (dict(book) for book in books.BOOKS)
MENDED: dict[str, tuple[list[dict[str, Any]], list[tuple[str, str]]]] = {
    "all there": ([ONE, TWO, THREE], []),
    "with a field of a release": ([{**ONE, "rating": 5}, TWO, THREE], []),
    "none": ([], [("put", "1"), ("put", "2"), ("put", "3")]),
    "one changed": ([ONE, {**TWO, "title": "other"}, THREE], [("put", "2")]),
    "one too many": ([ONE, TWO, THREE, {"_id": "9"}], [("delete", "9")]),
    "an id that is a number": ([ONE, TWO, THREE, {"_id": 9}], [("delete", "9")]),
}


@pytest.mark.parametrize("case", MENDED)
def test_only_the_difference_in_books_is_mended(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there, asked = MENDED[case]
    proxy = FakeProxy(there, refuses=2, refuses_writing=1)
    monkeypatch.setattr(books, "ProxyClient", lambda lab: proxy)
    books.ensure(LAB)
    assert (proxy.asked, proxy.closed) == (asked, True)
