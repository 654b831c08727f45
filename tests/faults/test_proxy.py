"""The proxy does what its modes say, so that a network test that finds nothing has tried something."""

from __future__ import annotations

import asyncio
import random

import pytest
from faults import proxy
from faults.proxy import Mode, Proxy

REQUEST = b"x" * 50
PATIENCE = 0.5  # seconds: for what never comes


async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that says what it hears."""
    while heard := await reader.read(1000):
        writer.write(heard)
        await writer.drain()
    writer.close()


async def answer(mode: Mode | None, seed: int) -> bytes | type[Exception]:
    """What one request through the proxy gets: all of it, what there is until the end, or an error."""
    async with await asyncio.start_server(repeat, "127.0.0.1", 0) as server:
        target = server.sockets[0].getsockname()[1]
        async with Proxy(target, random.Random(seed)).serving() as way:
            way.mode, way.share = mode, 1.0
            reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
            writer.write(REQUEST)
            try:
                return await asyncio.wait_for(reader.readexactly(len(REQUEST)), PATIENCE)
            except asyncio.IncompleteReadError as exc:
                return exc.partial
            except (TimeoutError, ConnectionError) as exc:
                return type(exc)
            finally:
                writer.transport.abort()


@pytest.mark.parametrize("mode", [None, Mode.LATENCY, Mode.DRIP])
def test_what_only_takes_long_arrives_whole(monkeypatch: pytest.MonkeyPatch, mode: Mode | None) -> None:
    assert set(tried(monkeypatch, mode)) == {REQUEST}


def test_what_is_cut_arrives_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    got = tried(monkeypatch, Mode.CUT)
    assert all(isinstance(each, bytes) and REQUEST.startswith(each) for each in got)
    assert set(got) != {REQUEST}


def test_who_is_reset_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ConnectionResetError in tried(monkeypatch, Mode.RESET)


def test_nothing_comes_out_of_a_black_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(tried(monkeypatch, Mode.BLACKHOLE)) == {TimeoutError}


def tried(monkeypatch: pytest.MonkeyPatch, mode: Mode | None) -> list[bytes | type[Exception]]:
    """The same several times, by other chances."""
    monkeypatch.setattr(proxy, "LATENCY", 0.05)
    monkeypatch.setattr(proxy, "DRIP", 0.0001)

    async def go() -> list[bytes | type[Exception]]:
        return [*await asyncio.gather(*(answer(mode, seed) for seed in range(8)))]

    return asyncio.run(go())
