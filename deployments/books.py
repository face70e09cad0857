"""The three books that the main service has at the baseline."""

from __future__ import annotations

from collections.abc import Iterable

from lab.clients.proxy import ProxyClient
from lab.model import Lab
from lab.waiting import retry

BOOKS = (
    {"_id": "1", "title": "Blue Mornings", "author": "Ada Winter", "description": "A town wakes up early."},
    {
        "_id": "2",
        "title": "Green Evenings",
        "author": "Ben Sommer",
        "description": "The same town, twelve hours on.",
    },
    {"_id": "3", "title": "The Switch", "author": "Cy Lang", "description": "Two lamps and one electrician."},
)
FIELDS = frozenset({"_id", "title", "author", "description"})


def kept(book: dict[str, object]) -> dict[str, object]:
    """A book without the fields that a release adds of itself."""
    return {key: value for key, value in book.items() if key in FIELDS}


def differences(there: Iterable[dict[str, object]]) -> tuple[list[dict[str, str]], list[str]]:
    """The books to write and the ids of those to delete, where these books are listed. Pure."""
    listed = {str(book["_id"]): kept(book) for book in there}
    missing = [book for book in BOOKS if listed.pop(book["_id"], None) != book]
    return missing, list(listed)


def ensure(lab: Lab) -> None:
    """These books and no other. Raises TimedOut when the service does not take them in 30 s."""
    proxy = ProxyClient(lab)
    try:
        retry(lambda: _put_right(proxy), 30, "the books")
    finally:
        proxy.close()


def _put_right(proxy: ProxyClient) -> None:
    missing, extra = differences(proxy.books())
    for book in missing:
        proxy.put(dict(book))
    for id in extra:
        proxy.delete(id)
