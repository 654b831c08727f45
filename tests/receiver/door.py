"""The public door on a real socket, and somebody who writes to it byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from bots import callback, entry

from relay.receiving.door import create_app
from relay.roles import receiver_settings
from relay.serving.crowd import Limits
from relay.serving.server import Server
from relay.testing import SECRETS, Bot

PATH = "/callback/" + SECRETS["RELAY_CALLBACK_SECRET"]
GOOD = callback(entry())


class Door:
    """A door that serves."""

    def __init__(self, server: Server, address: tuple[str, int]) -> None:
        self.server = server
        self.address = address

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """One connection."""
        return await asyncio.open_connection(*self.address)

    async def talk(self, *parts: bytes) -> bytes:
        """Send these one after the other on a connection; all that is answered until its end."""
        reader, writer = await self.open()
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
        try:
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def serving(bot: Bot, limits: Limits | None = None, **settings: Any) -> AsyncIterator[Door]:
    """The bot's door, with these settings, until the block ends."""
    listening = socket.create_server(("127.0.0.1", 0))
    address = listening.getsockname()
    app = create_app(bot.receiver, replace(receiver_settings(bot.config), **settings))
    server = Server(app, "127.0.0.1", 0, 1, lambda: None, limits)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup([listening])
    sweeping = asyncio.create_task(server.sweep())
    try:
        yield Door(server, address)
    finally:
        sweeping.cancel()
        for each in server.servers:
            each.close()
        for connection in list(server.server_state.connections):
            connection.cut()  # type: ignore[union-attr] # all of them are ours


def post(body: bytes = GOOD, path: str = PATH, *, headers: str = "", last: bool = True) -> bytes:
    """A callback as it goes over the wire; the `last` one closes its connection."""
    close = "connection: close\r\n" if last else ""
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\n{close}content-length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def head(line: str = f"POST {PATH} HTTP/1.1", headers: str = "") -> bytes:
    """A head with whatever headers, told by their lines."""
    return f"{line}\r\nhost: x\r\n{headers}\r\n".encode()


def statuses(answers: bytes) -> list[int]:
    """The statuses of all answers on a connection."""
    return [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]]
