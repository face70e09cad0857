"""The public address of the lab, as its users see it, and the books of its main service (httpx)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lab import http, named
from lab.errors import LabError
from lab.model import Lab
from lab.network import require_present

if TYPE_CHECKING:
    import httpx

TIMEOUT = 5.0


class ProxyClient:
    def __init__(self, lab: Lab) -> None:
        require_present(lab)
        self._path = lab.main_service.path
        self._client = http.client(TIMEOUT, base_url=f"http://{lab.master.address}", trust_env=False)

    def books(self) -> list[dict[str, Any]]:
        """The books, in the order of their ids. Raises LabError when the answer is not 200."""
        answer = self._ask("GET", self._path)
        books: list[dict[str, Any]] = answer.json()
        return sorted(books, key=lambda book: str(book["_id"]))

    def put(self, book: dict[str, Any]) -> None:
        self._ask("PUT", self._path, json=book)

    def delete(self, book_id: str) -> None:
        self._ask("DELETE", f"{self._path}/_id/{quote(book_id, safe='')}")

    def served_by(self, path: str) -> tuple[str, str, str]:
        """(release, color, node) of who answers a path."""
        headers = self._ask("GET", path).headers
        return (headers.get("X-Release", ""), headers.get("X-Color", ""), headers.get("X-Node", ""))

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **options)
        except http.error() as error:
            raise LabError(
                f"no answer to {method} {path}", last_seen=str(error), try_next=named.command("status")
            ) from error
        if answer.is_error:
            raise LabError(
                f"{answer.status_code} to {method} {path}",
                last_seen=answer.text[:400],
                try_next=named.command("status"),
            )
        return answer

    def close(self) -> None:
        self._client.close()
