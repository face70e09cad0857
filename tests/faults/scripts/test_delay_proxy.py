"""The proxy that runs on a node, played here on the loopback."""

from __future__ import annotations

import asyncio
import time

from faults.scripts.delay_proxy import serve

LATE = 0.15


async def answer_in_capitals(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write((await reader.read()).upper())
    await writer.drain()
    writer.close()


async def ask(port: int, text: bytes) -> tuple[bytes, float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begun = time.monotonic()
    writer.write(text)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer, time.monotonic() - begun


async def through_proxy(text: bytes, behind: int | None = None) -> tuple[bytes, float]:
    server = await asyncio.start_server(answer_in_capitals, "127.0.0.1", 0)
    there = behind or server.sockets[0].getsockname()[1]
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    ending = asyncio.Event()
    proxy = asyncio.create_task(serve(LATE, ready.set_result, lambda _: ("127.0.0.1", there), ending))
    try:
        return await ask(await ready, text)
    finally:
        ending.set()
        await proxy
        server.close()


def test_each_way_is_late() -> None:
    answer, seconds = asyncio.run(through_proxy(b"books"))
    assert answer == b"BOOKS"
    assert 2 * LATE <= seconds < 2 * LATE + 1


def test_a_long_answer_is_whole_and_not_late_by_each_of_its_chunks() -> None:
    text = bytes(range(97, 123)) * 100_000
    answer, seconds = asyncio.run(through_proxy(text))
    assert answer == text.upper()
    assert seconds < 2 * LATE + 3


def test_a_port_that_nobody_listens_on_ends_the_connection() -> None:
    async def refused() -> bytes:
        try:
            return (await through_proxy(b"books", behind=1))[0]
        except ConnectionError:
            return b""

    assert asyncio.run(refused()) == b""


def test_at_its_end_it_takes_nobody_new_and_lets_the_answers_under_way_out() -> None:
    async def play() -> tuple[bytes, bool, float]:
        server = await asyncio.start_server(answer_in_capitals, "127.0.0.1", 0)
        there = server.sockets[0].getsockname()[1]
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        ending = asyncio.Event()
        proxy = asyncio.create_task(serve(LATE, ready.set_result, lambda _: ("127.0.0.1", there), ending))
        port = await ready
        asking = asyncio.create_task(ask(port, b"books"))
        await asyncio.sleep(LATE / 2)  # the question is on its way
        begun = time.monotonic()
        ending.set()
        await proxy
        ended = time.monotonic() - begun
        await asyncio.wait({asking}, timeout=LATE / 3)
        assert asking.done(), "the proxy ended before the answer was out"
        answer, _ = await asking
        try:
            await ask(port, b"more")
            refused = False
        except OSError:
            refused = True
        server.close()
        return answer, refused, ended

    answer, refused, ended = asyncio.run(play())
    assert (answer, refused) == (b"BOOKS", True)
    assert ended < 2 * LATE + 1
