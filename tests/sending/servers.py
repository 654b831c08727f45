"""Platforms that misbehave on a real socket, as the client must survive them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from relay.sending.attempts import NoAnswer
from relay.sending.client import HttpTransport
from relay.wire.answers import Answer, read_answer

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

TOKEN = b'{"errcode":0,"data":{"access_token":"t","expires_in":7200}}'


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """The body of one request."""
    head = await reader.readuntil(b"\r\n\r\n")
    found = re.search(rb"(?i)content-length: (\d+)", head)
    return await reader.readexactly(int(found[1]) if found else 0)


def answer(body: bytes, status: int = 200, headers: str = "", *, length: int | None = None) -> Behaviour:
    """Reads the request, answers so, and closes."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        size = len(body) if length is None else length
        head = f"HTTP/1.1 {status} Status\r\nContent-Length: {size}\r\nConnection: close\r\n{headers}\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    return behave


def says(errcode: object, status: int = 200, **more: object) -> Behaviour:
    """Answers with an errcode."""
    return answer(json.dumps({"errcode": errcode, "message": "words", **more}).encode(), status)


def refuses_several(errcode: int, *bad: str) -> Behaviour:
    """Refuses a forward to several targets, or to a bad one."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        targets = json.loads(await read_request(reader))["chat_wxids"]
        refused = len(targets) > 1 or targets[0] in bad
        body = b'{"errcode":%d}' % (errcode if refused else 0)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()

    return behave


async def resets_after_a_byte(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(1)
    reset(writer)


async def resets_after_the_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    reset(writer)


def reset(writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def closes_after_the_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)


async def never_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()  # until the other side gives up


async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte now and then: a limit per read would never end it."""
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        while not writer.transport.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)


async def speaks_no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


@contextlib.asynccontextmanager
async def serve(*behaviours: Behaviour) -> AsyncIterator[str]:
    """Listen on 127.0.0.1; each connection meets the next behaviour, and the last one stays."""
    left = list(behaviours)
    conversations: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behave = left.pop(0) if len(left) > 1 else left[0]
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await behave(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.add(asyncio.create_task(converse(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.close()
        for conversation in conversations:
            conversation.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)
        await server.wait_closed()


class Split:
    """Tokens and the directory from memory, what is sent over the socket."""

    def __init__(self, real: HttpTransport) -> None:
        self._real = real
        self.tokens = 0

    async def request(
        self, method: str, path: str, *, body: bytes = b"", query: Mapping[str, str] | None = None
    ) -> Answer | NoAnswer:
        if path == "/oauth/token":
            self.tokens += 1
            return read_answer(200, TOKEN.replace(b'"t"', b'"t%d"' % self.tokens))
        if path == "/wechat/list":
            return read_answer(200, b'{"errcode":0,"data":[{"wxid":"1688850000000001"}]}')
        if method == "GET":
            return read_answer(200, b'{"errcode":406}')
        return await self._real.request(method, path, body=body, query=query)

    async def close(self) -> None:
        await self._real.close()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
