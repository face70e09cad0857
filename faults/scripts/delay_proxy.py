"""Runs on a node: TCP connections that iptables turns to it go on to where they were sent, later.

    python3 delay_proxy.py MILLISECONDS PORT_FILE

Each way of a connection is late by MILLISECONDS; bytes keep their order and their pace. SIGTERM ends it after
the answers under way. Of the standard library only: a node has no other.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress

SO_ORIGINAL_DST = 80  # linux/netfilter_ipv4.h
CHUNK = 65536
LAST_ANSWER = 0.5  # seconds that a server may take for an answer under way at the end
HELD = 512  # chunks under way, each direction
Address = tuple[str, int]


def sent_to(connection: socket.socket) -> Address:
    """Where the client sent it, before iptables turned it here."""
    raw = connection.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
    port, host = struct.unpack("!2xH4s8x", raw)
    return socket.inet_ntoa(host), port


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, late: float) -> None:
    """Bytes of one direction, each `late` seconds after it came; the end comes late as well."""
    clock = asyncio.get_running_loop().time
    held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(HELD)

    async def take() -> None:
        data = b"-"
        while data:
            try:
                data = await reader.read(CHUNK)
            except OSError:
                data = b""
            await held.put((clock() + late, data))

    taking = asyncio.create_task(take())
    try:
        while True:
            due, data = await held.get()
            await asyncio.sleep(max(0.0, due - clock()))
            if not data:
                break
            writer.write(data)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()
    except OSError:
        pass  # the other side is gone: so is this direction
    finally:
        taking.cancel()


async def serve(
    late: float,
    ready: Callable[[int], None],
    target: Callable[[socket.socket], Address],
    ending: asyncio.Event,
) -> None:
    """Until `ending`; then the connections under way get the time of one more answer to end in."""
    under_way: set[asyncio.Task[None]] = set()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        try:
            there = target(writer.get_extra_info("socket"))
            far_reader, far_writer = await asyncio.open_connection(*there)
        except OSError:
            writer.transport.abort()
            return
        try:
            await asyncio.gather(carry(reader, far_writer, late), carry(far_reader, writer, late))
        finally:
            far_writer.close()
            writer.close()

    server = await asyncio.start_server(meet, "0.0.0.0", 0)
    ready(server.sockets[0].getsockname()[1])
    await ending.wait()
    server.close()
    if under_way:
        await asyncio.wait(set(under_way), timeout=LAST_ANSWER + 2 * late)


def write_port(path: str) -> Callable[[int], None]:
    def write(port: int) -> None:
        with open(path + ".new", "w") as file:
            file.write(f"{port}\n")
        os.replace(path + ".new", path)

    return write


async def main(late: float, port_file: str) -> None:
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    await serve(late, write_port(port_file), sent_to, ending)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) / 1000, sys.argv[2]))
