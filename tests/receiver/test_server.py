"""A server that leaves answers what still comes on the connections it has (contract 4.8)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from bots import eventually, rule
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from relay.serving.hatch import Hatch
from relay.serving.server import LOOK, Server

Loop = Callable[[], asyncio.AbstractEventLoop]


async def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


@rule
async def test_a_request_that_was_half_sent_at_the_order_to_end_is_answered() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    serving, stop = asyncio.Event(), asyncio.Event()
    server = Server(Starlette(routes=[Route("/", hello)]), "127.0.0.1", 0, 5, serving.set)
    running = asyncio.create_task(server.serve_until(stop, [listening]))
    await serving.wait()
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    writer.write(b"GET / HTTP/1.1\r\n")
    await writer.drain()

    async def connected() -> bool:
        return bool(server.server_state.connections)

    async def leaving() -> bool:
        return server.crowd.closing

    await eventually(connected)
    stop.set()
    await eventually(leaving)
    writer.write(b"host: x\r\n\r\n")
    answer = (await reader.read()).decode()
    assert (answer[:12], answer[-5:]) == ("HTTP/1.1 200", "hello")
    assert "connection: close" in answer
    writer.close()
    await running


class Doors:
    """Servers one after the other on one socket, with a hatch between them."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.hatch = Hatch.made()

    async def serve(self, name: str, patience: float = 1.0) -> Callable[[], Awaitable[None]]:
        """Serve, telling this name; returns what ends it, and waits for its end."""

        async def who(_: Request) -> PlainTextResponse:
            return PlainTextResponse(name)

        serving, stop = asyncio.Event(), asyncio.Event()
        server = Server(Starlette(routes=[Route("/", who)]), "127.0.0.1", 0, 5, serving.set)
        lent = Hatch.lent(os.dup(self.hatch.giving.fileno()), os.dup(self.hatch.taking.fileno()))
        task = asyncio.create_task(server.serve_until(stop, [self.listening.dup()], lambda: patience, lent))
        await serving.wait()

        async def end() -> None:
            stop.set()
            await task
            lent.close()

        return end

    def close(self) -> None:
        self.hatch.close()
        self.listening.close()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """Who answers on this connection; "" if it is closed."""
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"connection: close" not in head
        return (await reader.readexactly(5)).decode()
    return ""


@pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_kept_and_fresh_connections_outlive_the_process_that_accepted_them(loop: Loop) -> None:
    async def go() -> None:
        doors = Doors()
        first = await doors.serve("older")
        used, fresh = [await asyncio.open_connection(*doors.listening.getsockname()) for _ in range(2)]
        assert await ask(*used) == "older"
        second = await doors.serve("newer")
        await first()
        assert [await ask(*used), await ask(*fresh), await ask(*used)] == ["newer"] * 3
        await second()
        for _, writer in (used, fresh):
            writer.close()
        doors.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(go())


@rule
async def test_what_no_successor_has_taken_waits_for_the_next_one() -> None:
    doors = Doors()
    first = await doors.serve("older")
    reader, writer = await asyncio.open_connection(*doors.listening.getsockname())
    assert await ask(reader, writer) == "older"
    await first()
    asking = asyncio.create_task(ask(reader, writer))
    second = await doors.serve("newer")
    assert await asking == "newer"
    await second()
    writer.close()
    doors.close()


@rule
async def test_what_was_begun_before_is_answered_before_and_then_passed_on() -> None:
    doors = Doors()
    first = await doors.serve("older")
    reader, writer = await asyncio.open_connection(*doors.listening.getsockname())
    writer.write(b"GET / HTTP/1.1\r\n")
    second = await doors.serve("newer")
    ending = asyncio.ensure_future(first())
    await asyncio.sleep(LOOK * 3)
    writer.write(b"host: x\r\n\r\n")
    assert (await reader.readuntil(b"older"))[:12] == b"HTTP/1.1 200"
    await ending
    assert await ask(reader, writer) == "newer"
    await second()
    writer.close()
    doors.close()


@rule
async def test_where_nobody_comes_after_connections_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.serving.server.LINGER", LOOK)
    doors = Doors()
    only = await doors.serve("older", patience=0.0)
    reader, writer = await asyncio.open_connection(*doors.listening.getsockname())
    assert await ask(reader, writer) == "older"
    doors.hatch.shut()
    async with asyncio.timeout(5):
        await only()
        assert await reader.read() == b""
    writer.close()
    doors.close()
