"""The door to HTTP for what most commands do not need: httpx is loaded with the first client.

A twelfth of the time in which `lab reset` begins, when nothing is to be put back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.waiting import stretched

if TYPE_CHECKING:
    import httpx


def client(seconds: float, **options: Any) -> httpx.Client:
    """A client that waits so long for an answer, stretched by LAB_PATIENCE. Its options are httpx's."""
    import httpx  # noqa: PLC0415

    return httpx.Client(timeout=stretched(seconds), **options)


def leads_somewhere(url: str) -> bool:
    """Whether a client can be given this address: its host can be asked for."""
    import httpx  # noqa: PLC0415

    try:
        return bool(httpx.URL(url).host.encode("idna"))
    except (httpx.InvalidURL, UnicodeError):
        return False


def error() -> type[httpx.HTTPError]:
    """What a client raises that gets no answer. For an `except`, which asks only when something is raised."""
    import httpx  # noqa: PLC0415

    return httpx.HTTPError
