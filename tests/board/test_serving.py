"""A board as it is served: a process of its own, with a lab that is not up."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from board import reports, serving
from lab.errors import ConfigError, HostError
from tests.board.test_reports import ADA

ROOT = Path(__file__).parents[2]
TOKEN = "t" * 22
# No lab is looked for: what this host has does not matter here.
PROGRAM = f"""
from board import looking, serving
from lab import config
looking._away = lambda lab: "no lab is up"
with serving.listen("127.0.0.1", 0) as opened:
    print(opened.getsockname()[1], flush=True)
    serving.Serving(config.load(config.LAB_FILE), opened, "127.0.0.1", "{TOKEN}").run()
print("ended")
"""


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**os.environ, "http_proxy": "http://127.0.0.1:1", "LC_ALL": "C"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        yield running
        running.kill()


@pytest.fixture
def url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return f"http://127.0.0.1:{int(process.stdout.readline())}"


def events(lines: Iterator[str], *kinds: str) -> dict[str, object]:
    """The newest data of each of these kinds of event, as soon as all have come."""
    found: dict[str, object] = {}
    kind = ""
    for line in lines:
        word, _, rest = line.partition(": ")
        if word == "event":
            kind = rest
        elif word == "data":
            found[kind] = json.loads(rest)
        if set(kinds) <= set(found):
            return found
    return found


def join(url: str, token: str = TOKEN) -> int:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    answer = httpx.post(f"{url}/join", content=reports.text(ADA), headers=headers, trust_env=False)
    return answer.status_code


def test_a_page_is_told_of_a_lab_that_is_not_up_and_of_who_joins(url: str) -> None:
    with httpx.stream("GET", f"{url}/events", trust_env=False) as answer:
        told = events(answer.iter_lines(), "lab", "traffic", "room")
        assert told["room"] == []
    assert join(url) == httpx.codes.NO_CONTENT and join(url, "x") == httpx.codes.UNAUTHORIZED
    with httpx.stream("GET", f"{url}/events", trust_env=False) as answer:
        told = events(answer.iter_lines(), "lab", "traffic", "room")
    (row,) = told["room"]  # type: ignore[misc]
    assert row["name"] == "Ada"  # type: ignore[index]
    assert told["lab"]["state"] in ("looking", "down")  # type: ignore[index]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_board_ends_at_once_and_tells_the_pages_that_look(
    how: signal.Signals, process: subprocess.Popen[str], url: str
) -> None:
    with httpx.stream("GET", f"{url}/events", trust_env=False) as answer:
        lines = answer.iter_lines()
        assert "lab" in events(lines, "lab")
        begun = time.monotonic()
        process.send_signal(how)
        assert "end" in events(lines, "end")
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "ended\n", "")
    assert time.monotonic() - begun < 10


def test_a_client_that_says_nonsense_costs_the_others_nothing(url: str) -> None:
    port = int(url.rpartition(":")[2])
    nonsense = [
        b"\x00\xff\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 100_000,
        b"POST /join HTTP/1.1\r\n\r\n",
    ]
    for said in nonsense:
        with socket.create_connection(("127.0.0.1", port)) as opened:
            opened.sendall(said)
    assert httpx.get(url, trust_env=False).status_code == httpx.codes.OK


FROZEN = """
import threading
from board import serving
from lab.shell import in_parallel
began = threading.Event()
def look(node):
    began.set()
    threading.Event().wait(60)
threading.Thread(target=lambda: in_parallel(look, ["frozen"]), daemon=True).start()
began.wait()
print("the board has ended")
serving.leave()
"""


def test_a_look_that_waits_for_a_frozen_node_keeps_no_board_from_its_end() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FROZEN], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "the board has ended\n"


# --- where it listens ---------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_told_with_who_has_it_and_what_to_type() -> None:
    with serving.listen("127.0.0.1", 0) as opened:
        port = opened.getsockname()[1]
        with pytest.raises(HostError, match=f"cannot listen on http://127.0.0.1:{port}") as refused:
            serving.listen("127.0.0.1", port)
    assert refused.value.exit_code == 4
    assert f"pid={os.getpid()}" in str(refused.value) and "board --port 0" in str(refused.value)


def test_an_address_of_another_host_is_refused() -> None:
    with pytest.raises(HostError, match="cannot listen on http://192"):
        serving.listen("192.0.2.1", 0)


@pytest.mark.parametrize("address", ["no.such.invalid", "1.2.3.4.5", "a" * 300, ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="is no address"):
        serving.listen(address, 0)


def test_it_listens_where_it_was_told_and_nowhere_else() -> None:
    with serving.listen("127.0.0.1", 0) as opened:
        assert opened.getsockname()[0] == "127.0.0.1" and serving.is_loopback(opened)
    with serving.listen("0.0.0.0", 0) as opened:
        assert not serving.is_loopback(opened)


def test_an_address_of_ipv6_is_written_so_that_it_can_be_pasted() -> None:
    assert serving.url("::1", 80) == "http://[::1]:80"
    assert serving.url("10.0.0.1", 80) == "http://10.0.0.1:80"


# --- tokens -------------------------------------------------------------------------------------------------


def test_each_board_has_a_token_of_its_own_which_another_may_keep() -> None:
    one, other = serving.new_token(), serving.new_token()
    assert one != other and serving.sound(one) == one


@pytest.mark.parametrize("token", ["", "short", "x" * 101, "with spaces " * 3, "ü" * 30, "x" * 30 + "\n"])
def test_a_token_that_is_weak_or_odd_is_refused(token: str) -> None:
    with pytest.raises(ConfigError, match="no token of a board"):
        serving.sound(token)
