"""A server that leaves answers what still comes on the connections it has (contract 4.8)."""

from __future__ import annotations

import asyncio
import socket

from bots import eventually, rule
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from relay.server import Server


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
        return server._leaving

    await eventually(connected)
    stop.set()
    await eventually(leaving)
    writer.write(b"host: x\r\n\r\n")
    answer = (await reader.read()).decode()
    assert (answer[:12], answer[-5:]) == ("HTTP/1.1 200", "hello")
    assert "connection: close" in answer
    writer.close()
    await running
