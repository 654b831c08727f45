"""Push callbacks as fast as they are answered, over so many connections: a closed loop.

    python -m benchmarks.saturation PORT PATH CONNECTIONS < bodies

Reads bodies, each with its length in four bytes before it; prints how many seconds all of them took.
"""

from __future__ import annotations

import asyncio
import struct
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import cast

import uvloop

from benchmarks.harness import ROOT

ANSWER = b"HTTP/1.1 200"


class _Connection(asyncio.Protocol):
    """Sends the next request once the last one is answered: every answer here ends with a brace."""

    def __init__(self, requests: Iterator[bytes], over: asyncio.Future[None]) -> None:
        self._requests = requests
        self._over = over
        self._transport: asyncio.Transport | None = None
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._next()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is not None and self._transport is not None:
            self._transport.write(request)
        elif not self._over.done():
            self._over.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._answer.endswith(b"}"):
            return
        if not self._answer.startswith(ANSWER):
            self._over.set_exception(RuntimeError(self._answer[:40].decode("latin-1")))
            return
        self._answer = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._over.done():
            self._over.set_exception(exc or RuntimeError("a connection was cut"))


async def _run(port: int, connections: int, requests: Sequence[bytes]) -> float:
    loop = asyncio.get_running_loop()
    left = iter(requests)
    ends: list[asyncio.Future[None]] = [loop.create_future() for _ in range(connections)]
    began = loop.time()
    for over in ends:
        await loop.create_connection(partial(_Connection, left, over), "127.0.0.1", port)
    await asyncio.gather(*ends)
    return loop.time() - began


async def saturate(port: int, path: str, bodies: Sequence[bytes], connections: int) -> float:
    """Push all bodies from a process of its own, and return how many seconds that took."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.saturation", str(port), path, str(connections)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    framed = b"".join(struct.pack("!I", len(body)) + body for body in bodies)
    out, _ = await process.communicate(framed)
    if process.returncode:
        raise RuntimeError(f"the load ended with {process.returncode}")
    return float(out)


def _bodies(framed: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(framed):
        (length,) = struct.unpack_from("!I", framed, at)
        yield framed[at + 4 : at + 4 + length]
        at += 4 + length


def main() -> None:
    """Push what standard input holds."""
    port, path, connections = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    head = f"POST {path} HTTP/1.1\r\nHost: bot\r\nContent-Type: application/json\r\nContent-Length: "
    requests = [
        head.encode() + b"%d\r\n\r\n%b" % (len(body), body) for body in _bodies(sys.stdin.buffer.read())
    ]
    print(uvloop.run(_run(port, connections, requests)))


if __name__ == "__main__":
    main()
