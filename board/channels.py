"""The newest event of each kind, and streams that send what is newer than what they sent.

A slow reader skips what was overtaken, so nothing piles up for it. For the server's own loop alone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

END = "end"  # the kind of the last event
STILL = b": still here\n\n"  # so that either side notices a connection that died
QUIET = 10.0  # seconds after which that is sent


class Channels:
    def __init__(self) -> None:
        self._newest: dict[str, tuple[int, bytes]] = {}
        self._version = 0
        self._changed = asyncio.Event()
        self.streams = 0

    def tell(self, kind: str, data: Any) -> None:
        """The event of this kind is this one from now on; one that says the same is not sent again."""
        event = f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()
        if self._newest.get(kind, (0, b""))[1] == event:
            return
        self._version += 1
        self._newest[kind] = (self._version, event)
        self._changed.set()
        self._changed = asyncio.Event()

    def end(self) -> None:
        """Every stream sends a last event and is over."""
        self.tell(END, {})

    async def stream(self) -> AsyncIterator[bytes]:
        """All newest events, then each newer one until the end."""
        self.streams += 1
        try:
            yield b"retry: 2000\n\n"
            sent = 0
            while True:
                changed = self._changed
                newer = [event for version, event in self._newest.values() if version > sent]
                sent = self._version
                if newer:
                    yield b"".join(newer)
                if END in self._newest:
                    return
                try:
                    await asyncio.wait_for(changed.wait(), QUIET)
                except TimeoutError:
                    yield STILL
        finally:
            self.streams -= 1
