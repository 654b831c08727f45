"""The least of a platform: takes sendMessage and forwardMsg, notes when, and never says no.

    python -m benchmarks.minimal_platform PORT

`GET /noted` gives, and forgets, each text that was sent with the time of its arrival (CLOCK_MONOTONIC, s).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any, cast

import msgspec
import uvloop

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
TOKEN = b'{"errcode":0,"data":{"access_token":"t","expires_in":7200}}'
NOTHING = b'{"errcode":0,"data":[],"pager":{"page":1,"perPage":100,"numRecords":0,"numPages":1}}'
FORWARDED = b'{"errcode":0}'


class _Item(msgspec.Struct):
    text: str = ""


class _Content(msgspec.Struct):
    items: list[_Item] = []


class _Message(msgspec.Struct):
    content: _Content
    api_send_id: str = ""


class _Send(msgspec.Struct):
    messages: list[_Message]


_read = msgspec.json.Decoder(_Send).decode


class Platform(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def __init__(self, noted: list[tuple[str, float]]) -> None:
        self._noted = noted
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            length = _length(head)
            if len(self._received) < end + 4 + length:
                return
            body = self._received[end + 4 : end + 4 + length]
            path = self._received[: self._received.find(b" HTTP")]
            self._received = self._received[end + 4 + length :]
            answer = self._answer(path, body)
            if self._transport is not None:
                self._transport.write(HEAD % (len(answer), answer))

    def _answer(self, path: bytes, body: bytes) -> bytes:
        if path == b"POST /wechat/sendMessage":
            return self._sent(body)
        if path == b"POST /wechat/forwardMsg":
            self._noted.append(("", time.monotonic()))
            return FORWARDED
        if path == b"GET /noted":
            told = json.dumps(self._noted).encode()
            self._noted.clear()
            return told
        if path == b"GET /count":
            return str(len(self._noted)).encode()
        return TOKEN if path.startswith(b"POST /oauth/token") else NOTHING

    def _sent(self, body: bytes) -> bytes:
        now = time.monotonic()
        data = []
        for idx, message in enumerate(_read(body).messages):
            text = "".join(item.text for item in message.content.items)
            self._noted.append((text, now))
            data.append(
                {
                    "idx": idx,
                    "api_send_svrid": f"s,{len(self._noted)},{now}",
                    "api_send_id": message.api_send_id,
                }
            )
        return json.dumps({"errcode": 0, "data": data}).encode()


def _length(head: bytes) -> int:
    _, found, rest = head.partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


async def ask(port: int, path: str) -> Any:
    """What the platform at this port says."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: p\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(_length(head.lower()))
    writer.close()
    return json.loads(body)


async def _serve(port: int) -> None:
    noted: list[tuple[str, float]] = []
    server = await asyncio.get_running_loop().create_server(lambda: Platform(noted), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
