"""A room's server and those who take from it: parts, cuts, oddities. All on the loopback."""

from __future__ import annotations

import errno
import hashlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from lab.errors import CheckFailed, ConfigError, HostError
from provisioning.bundle import archive, fetch, manifest, serve
from provisioning.bundle.manifest import Manifest
from tests.provisioning.bundle.bundles import Entries, renamed, rewritten, served


@pytest.fixture
def room(bundle: Path) -> Iterator[tuple[str, serve.Server]]:
    with served(bundle) as (url, server):
        yield url, server


def ask(url: str, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection(*fetch.address_of(url), timeout=5)
    connection.request(
        method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


# --- what is sent ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "begins", "count", "is_part"),
    [
        (None, 0, 10, False),
        ("bytes=0-", 0, 10, True),
        ("bytes=4-", 4, 6, True),
        ("bytes=4-5", 4, 2, True),
        ("bytes=9-99", 9, 1, True),
        ("bytes=-3", 0, 10, False),
        ("bytes=0-1,3-4", 0, 10, False),
        ("lines=1-2", 0, 10, False),
        ("bytes=x-", 0, 10, False),
    ],
)
def test_a_range_is_read(said: str | None, begins: int, count: int, is_part: bool) -> None:
    assert serve.wanted(said, 10) == serve.Wanted(begins, count, is_part)


@pytest.mark.parametrize("said", ["bytes=10-", "bytes=99-", "bytes=5-4"])
def test_a_range_that_is_not_there_is_none(said: str) -> None:
    assert serve.wanted(said, 10) is None


def test_the_file_and_its_manifest_are_all_there_is(room: tuple[str, Any], bundle: Path) -> None:
    url, _ = room
    answer, content = ask(url, "/lab.bundle")
    assert (answer.status, content) == (200, bundle.read_bytes())
    assert ask(url, "/manifest.json")[1] == archive.manifest_text(bundle)
    for path in ("/", "/..", "/../lab.bundle", "/lab.bundle/", "/lab.bundle?x", "//etc/passwd", "/%2e%2e/x"):
        assert ask(url, path)[0].status == 404, path


def test_head_says_the_size_and_sends_nothing(room: tuple[str, Any], bundle: Path) -> None:
    answer, content = ask(room[0], "/lab.bundle", "HEAD")
    assert (answer.status, content) == (200, b"")
    assert answer.getheader("Content-Length") == str(bundle.stat().st_size)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_written(method: str, room: tuple[str, Any]) -> None:
    assert ask(room[0], "/lab.bundle", method)[0].status == 501


def test_a_part_is_sent_of_the_bundle_that_one_means(room: tuple[str, Any], bundle: Path) -> None:
    url, server = room
    whole = bundle.read_bytes()
    answer, content = ask(url, "/lab.bundle", Range="bytes=1000-", If_Range=server.tag)
    assert (answer.status, content) == (206, whole[1000:])
    assert answer.getheader("Content-Range") == f"bytes 1000-{len(whole) - 1}/{len(whole)}"
    assert ask(url, "/lab.bundle", Range="bytes=1000-", If_Range='"another"')[1] == whole
    answer, _ = ask(url, "/lab.bundle", Range=f"bytes={len(whole)}-")
    assert (answer.status, answer.getheader("Content-Range")) == (416, f"bytes */{len(whole)}")


def test_what_is_given_out_stays_one_bundle_when_the_file_is_replaced(
    room: tuple[str, Any], bundle: Path
) -> None:
    whole = bundle.read_bytes()
    (bundle.parent / "other").write_bytes(b"other")
    (bundle.parent / "other").replace(bundle)
    assert ask(room[0], "/lab.bundle")[1] == whole


@pytest.mark.parametrize("head", [b"GET /" + b"x" * 9000, b"GET / HTTP/1.0\r\nX: " + b"x" * 9000])
def test_a_head_that_is_too_long_ends_there(head: bytes, room: tuple[str, Any]) -> None:
    with socket.create_connection(fetch.address_of(room[0]), timeout=5) as connection:
        connection.sendall(head + b"\r\n\r\n")
        answer = b"".join(iter(lambda: _received(connection), b""))
    assert answer == b"" or b" 431 " in answer.splitlines()[0]


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(4096)
    except ConnectionResetError:  # what was not read is refused so
        return b""


def test_one_client_more_than_there_are_places_is_told_to_come_back(
    room: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, server = room
    while server._places.acquire(blocking=False):
        pass
    assert ask(url, "/manifest.json")[0].status == 503
    server._places.release()
    assert ask(url, "/manifest.json")[0].status == 200


def test_a_port_that_is_taken_is_told(room: tuple[str, Any], bundle: Path) -> None:
    with pytest.raises(HostError, match="cannot listen on"):
        serve.Server(fetch.address_of(room[0]), bundle, print)


# --- taking it ------------------------------------------------------------------------------------------


def quiet(_: str) -> None:
    pass


def anything(_: Manifest) -> None:
    pass


def take(url: str, folder: Path) -> Path:
    return fetch.whole(url, folder, anything, quiet)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PAUSE", 0)


def test_thirty_clients_at_once_have_the_same_bundle(
    room: tuple[str, Any], bundle: Path, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(max_workers=30) as pool:
        taken = list(pool.map(lambda number: take(room[0], tmp_path / str(number)), range(30)))
    digests = {hashlib.sha256(file.read_bytes()).digest() for file in taken}
    assert digests == {hashlib.sha256(bundle.read_bytes()).digest()}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[serve.Wanted]:
    """What the server was asked for; it breaks each connection after 20000 bytes."""
    asked: list[serve.Wanted] = []
    send = serve._Handler._send

    def cut(handler: serve._Handler, part: serve.Wanted) -> None:
        asked.append(part)
        send(handler, serve.Wanted(part.begins, min(part.count, 20000), part.is_part))

    monkeypatch.setattr(serve._Handler, "_send", cut)
    return asked


def test_a_download_that_breaks_goes_on_where_it_was(
    room: tuple[str, Any], bundle: Path, tmp_path: Path, sent: list[serve.Wanted]
) -> None:
    taken = take(room[0], tmp_path / "there")
    assert taken.read_bytes() == bundle.read_bytes()
    assert [part.begins for part in sent] == list(range(0, bundle.stat().st_size, 20000))


def test_a_download_goes_on_in_another_process_and_begins_anew_with_another_bundle(
    room: tuple[str, Any], bundle: Path, tmp_path: Path, sent: list[serve.Wanted]
) -> None:
    whole = bundle.read_bytes()
    text = archive.manifest_text(bundle)
    name = manifest.identity(text)[:16]
    (tmp_path / f"{name}.part").write_bytes(whole[:30000])
    (tmp_path / "0123456789abcdef.part").write_bytes(b"of another bundle")
    assert fetch.fetch(room[0], text, tmp_path, quiet).read_bytes() == whole
    assert sent[0].begins == 30000


def test_a_part_that_is_whole_already_is_only_renamed(
    room: tuple[str, Any], bundle: Path, tmp_path: Path, sent: list[serve.Wanted]
) -> None:
    text = archive.manifest_text(bundle)
    (tmp_path / f"{manifest.identity(text)[:16]}.part").write_bytes(bundle.read_bytes())
    assert fetch.fetch(room[0], text, tmp_path, quiet).read_bytes() == bundle.read_bytes()
    assert sent == []


def test_a_part_that_is_longer_than_the_whole_begins_anew(
    room: tuple[str, Any], bundle: Path, tmp_path: Path
) -> None:
    text = archive.manifest_text(bundle)
    (tmp_path / f"{manifest.identity(text)[:16]}.part").write_bytes(bundle.read_bytes() + b"more")
    assert fetch.fetch(room[0], text, tmp_path, quiet).read_bytes() == bundle.read_bytes()


def test_a_server_that_sends_nothing_more_is_told_and_the_part_is_kept(
    room: tuple[str, Any], tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = serve._Handler._send
    monkeypatch.setattr(
        serve._Handler, "_send", lambda self, part: part.begins or send(self, serve.Wanted(0, 20000, False))
    )
    with pytest.raises(HostError, match="does not give its bundle") as silent:
        take(room[0], tmp_path)
    assert "20000 bytes of it are here" in str(silent.value)
    assert [file.stat().st_size for file in tmp_path.glob("*.part")] == [20000]


def test_a_download_on_a_full_disk_leaves_nothing(
    room: tuple[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object, size: int) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(HTTPResponse, "read", lambda self, most: full(self, most) if self.length else b"")
    monkeypatch.setattr(fetch, "described", lambda url: archive.manifest_text(room[1].text_file))
    room[1].text_file = tmp_path / "lab.bundle"
    with pytest.raises(HostError, match="the disk is full"):
        take(room[0], tmp_path / "there")
    assert [file.suffix for file in (tmp_path / "there").iterdir()] == [".lock"]


def test_a_damaged_bundle_is_not_kept(bundle: Path, tmp_path: Path) -> None:
    def change(entries: Entries) -> Entries:
        return [(entry, content.replace(b"rsync", b"Rsync")) for entry, content in entries]

    rewritten(bundle, lambda entries: [entries[0], *change(entries[1:])])
    with served(bundle) as (url, _), pytest.raises(CheckFailed, match=r"debs/rsync_.* is damaged"):
        take(url, tmp_path / "there")
    assert [file.suffix for file in (tmp_path / "there").iterdir()] == [".lock"]


def test_a_foreign_bundle_is_refused_before_it_is_fetched(
    bundle: Path, tmp_path: Path, sent: list[serve.Wanted]
) -> None:
    def refuse(listed: Manifest) -> None:
        manifest.refuse_other_machine(listed, "amd64", "x")

    with served(renamed(bundle, architecture="m68k")) as (url, _), pytest.raises(CheckFailed, match="m68k"):
        fetch.whole(url, tmp_path / "there", refuse, quiet)
    assert sent == [] and not (tmp_path / "there").exists()


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(HostError, match="lab bundle serve"):
            take(f"http://127.0.0.1:{held.getsockname()[1]}", tmp_path)


def test_a_server_of_something_else_is_no_bundles(
    room: tuple[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fetch, "MANIFEST", "/else")
    monkeypatch.setattr(serve._Handler, "_answer", lambda self, with_body: self.send_error(404))
    with pytest.raises(CheckFailed, match="no bundle is served there"):
        take(room[0], tmp_path)


@pytest.mark.parametrize(
    "url",
    ["https://h:1", "ftp://h", "http://", "http://h:x", "http://h:99999", "http://h/x", "http://h?x", "://"],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is not the address of a bundle"):
        fetch.address_of(url)


@pytest.mark.parametrize(
    ("said", "meant"),
    [("bytes 5-9/10", (5, 10)), ("bytes */10", (10, 10)), ("", (-1, -1)), ("bytes 5-9/*", (-1, -1))],
)
def test_what_an_answer_holds_is_read(said: str, meant: tuple[int, int]) -> None:
    assert fetch.content_range(said) == meant
