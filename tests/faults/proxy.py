"""A bad network: a TCP proxy that passes bytes on as they come, until it is told what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

CHUNK = 65_536  # bytes
LATENCY = 3.5  # seconds at the most: longer than a call may take
DRIP = 0.004  # seconds at the most from one byte to the next
DRIPPING = 4  # at a time: byte by byte is dear
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing throws away what is unsent, and says so


class Mode(StrEnum):
    """What goes wrong."""

    LATENCY = "latency"
    """Request or answer takes long; it arrives even if nobody waits for it any more."""
    RESET = "reset"
    """Both sides are told that the connection is gone (RST)."""
    CUT = "cut"
    """The connection ends (FIN), somewhere within the request or the answer."""
    DRIP = "drip"
    """Byte by byte."""
    BLACKHOLE = "blackhole"
    """Nothing arrives any more, either way, and nobody is told."""


class _GoneError(Exception):
    """The connection is over."""


@dataclass(slots=True)
class Exchange:
    """One request and its answer, seen from the middle: steady seconds, 0 where there was none."""

    asked: float = 0.0  #: when the last of the request was passed on
    answered: float = 0.0  #: when the answer began
    mode: Mode | None = None


@dataclass(eq=False, slots=True)
class Link:
    """One connection, and its other half behind the proxy."""

    near: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    far: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    exchange: Exchange = field(default_factory=Exchange)
    on_the_answer: bool = False  #: which half suffers
    dead: bool = False

    def end(self, *, reset: bool) -> None:
        """Close both halves."""
        for _, writer in (self.near, self.far):
            if reset:
                with contextlib.suppress(OSError):  # it is closed already
                    told: socket.socket = writer.get_extra_info("socket")
                    told.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
                writer.transport.abort()
            else:
                writer.close()


class Proxy:
    """Listens on a `port` of its own. `mode` strikes each request by chance, as long as it is set."""

    def __init__(self, target: int, chance: random.Random) -> None:
        self.port = 0
        self.mode: Mode | None = None
        self.share = 0.5  #: of the requests that begin while it is set
        self.struck: Counter[Mode] = Counter()
        self.exchanges: list[Exchange] = []
        self._target = target
        self._chance = chance
        self._dripping = asyncio.Semaphore(DRIPPING)
        self._links: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Proxy]:
        """Pass on what comes, within the block."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in list(self._links):
                task.cancel()
            await asyncio.gather(*self._links, return_exceptions=True)

    @contextlib.contextmanager
    def bad(self, mode: Mode, share: float = 0.5) -> Iterator[None]:
        """Let this go wrong with so many requests, within the block."""
        self.mode, self.share = mode, share
        try:
            yield
        finally:
            self.mode = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._link(reader, writer))
        self._links.add(task)
        task.add_done_callback(self._links.discard)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        link = Link((reader, writer), far)
        halves = [asyncio.create_task(half(link)) for half in (self._ask, self._answer)]
        try:
            # Who asks is seen to have left only once what he said has been handed on.
            await asyncio.wait(halves, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for half in halves:
                half.cancel()
            await asyncio.gather(*halves, return_exceptions=True)
            link.end(reset=False)

    async def _ask(self, link: Link) -> None:
        await self._pass(link, link.near[0], link.far[1], asks=True)

    async def _answer(self, link: Link) -> None:
        await self._pass(link, link.far[0], link.near[1], asks=False)

    async def _pass(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, asks: bool
    ) -> None:
        with contextlib.suppress(OSError, _GoneError):
            while piece := await reader.read(CHUNK):
                if asks:
                    self._begin(link)
                elif not link.exchange.answered:
                    link.exchange.answered = time.monotonic()
                if not link.dead:
                    await self._hand_on(link, piece, writer, suffers=link.on_the_answer is not asks)
                if asks:
                    link.exchange.asked = time.monotonic()

    def _begin(self, link: Link) -> None:
        """With what comes after an answer, or first of all, another request begins."""
        if link.exchange.answered or not link.exchange.asked:
            struck = not link.dead and self.mode is not None and self._chance.random() < self.share
            link.exchange = Exchange(mode=self.mode if struck else None)
            link.on_the_answer = self._chance.random() < 0.5
            self.exchanges.append(link.exchange)
            if link.exchange.mode is not None:
                self.struck[link.exchange.mode] += 1

    async def _hand_on(
        self, link: Link, piece: bytes, writer: asyncio.StreamWriter, *, suffers: bool
    ) -> None:
        mode = link.exchange.mode if suffers else None
        if mode is Mode.BLACKHOLE:
            link.dead = True
            return
        if mode is Mode.LATENCY:
            await asyncio.sleep(self._chance.uniform(0.02, LATENCY))
        if mode in (Mode.RESET, Mode.CUT):
            writer.write(piece[: self._chance.choice((0, self._chance.randrange(len(piece)), len(piece)))])
            await writer.drain()
            await asyncio.sleep(self._chance.choice((0.0, 0.01, 0.2)))  # or what was passed on is lost, too
            link.end(reset=mode is Mode.RESET)
            raise _GoneError
        if mode is Mode.DRIP and not self._dripping.locked():
            await self._drip(piece, writer)
            return
        writer.write(piece)
        await writer.drain()

    async def _drip(self, piece: bytes, writer: asyncio.StreamWriter) -> None:
        async with self._dripping:
            wait = self._chance.uniform(0, DRIP)
            for at in range(len(piece)):
                writer.write(piece[at : at + 1])
                await asyncio.sleep(wait)
