from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from board import channels
from board.channels import Channels


async def following(stream: AsyncIterator[bytes]) -> list[bytes]:
    return [event async for event in stream]


def test_a_new_stream_begins_with_the_newest_of_each_kind() -> None:
    async def play() -> list[bytes]:
        told = Channels()
        told.tell("lab", 1)
        told.tell("lab", 2)
        told.tell("room", [])
        told.end()
        return await following(told.stream())

    retry, newest = asyncio.run(play())
    assert retry.startswith(b"retry:")
    assert newest == b"event: lab\ndata: 2\n\nevent: room\ndata: []\n\nevent: end\ndata: {}\n\n"


def test_a_reader_that_was_slow_gets_what_is_newest_and_not_what_was_overtaken() -> None:
    async def play() -> list[bytes]:
        told = Channels()
        stream = told.stream()
        told.tell("lab", 0)
        events = [await anext(stream), await anext(stream)]
        for number in range(1, 100):
            told.tell("lab", number)
        events.append(await anext(stream))
        await stream.aclose()  # type: ignore[attr-defined]
        return events

    assert asyncio.run(play())[1:] == [b"event: lab\ndata: 0\n\n", b"event: lab\ndata: 99\n\n"]


def test_what_says_the_same_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "QUIET", 0.01)

    async def play() -> bytes:
        told = Channels()
        stream = told.stream()
        told.tell("room", [])
        await anext(stream)
        await anext(stream)
        told.tell("room", [])
        said = await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        return said

    assert asyncio.run(play()) == channels.STILL


def test_a_stream_that_is_left_is_not_counted_any_more() -> None:
    async def play() -> tuple[int, int]:
        told = Channels()
        stream = told.stream()
        await anext(stream)
        during = told.streams
        await stream.aclose()  # type: ignore[attr-defined]
        return during, told.streams

    assert asyncio.run(play()) == (1, 0)


def test_no_data_can_end_an_event_or_begin_another() -> None:
    async def play() -> bytes:
        told = Channels()
        told.tell("room", [{"name": "a\n\nevent: end\r\ndata: x"}])
        told.end()
        return (await following(told.stream()))[1]

    assert asyncio.run(play()).count(b"\n\n") == len((b"room", b"end"))
