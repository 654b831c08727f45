"""Closed connections and half answers, seen from a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from simulator.bench import BOT, EAST, rule

from relay.simulator.app import Simulator, SimulatorServer, create_simulator
from relay.simulator.fault import Fault, Kind, When

PATIENCE = 10
SIDES = pytest.mark.parametrize("when", When)


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Simulator, int]]:
    """A simulator on a port of its own, with the bot in one room."""
    sim = create_simulator()
    sim.add_account(BOT, "bot")
    sim.add_room(EAST, "East", [BOT])
    server = SimulatorServer(sim, "127.0.0.1", 0)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0.01)
    try:
        yield sim, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving


def request(sim: Simulator) -> bytes:
    content = {"items": [{"type": "text", "text": "hi"}]}
    fields = {
        "app_id": "sim-app",
        "access_token": sim.tokens.issue(),
        "wxid": BOT,
        "target_wxid": EAST,
        "messages": [{"msg_type": "text", "content": content}],
    }
    body = json.dumps(fields).encode()
    head = f"POST /wechat/sendMessage HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def exchange(sim: Simulator, port: int) -> bytes:
    """Everything that comes back until the server closes; nothing, where it resets."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(sim))
    answer = b""
    with suppress(ConnectionResetError):
        async with asyncio.timeout(PATIENCE):
            answer = await reader.read()
    writer.close()
    return answer


async def held(sim: Simulator, count: int) -> None:
    """Return when so many calls wait."""
    changed = asyncio.Event()
    sim.ledger.watch(changed.set)
    async with asyncio.timeout(PATIENCE):
        while len(sim.faults.holds) != count:
            await changed.wait()
            changed.clear()


@SIDES
@rule
async def test_the_connection_is_closed_and_not_one_byte_is_answered(
    when: When, caplog: pytest.LogCaptureFixture
) -> None:
    async with served() as (sim, port):
        sim.faults.add(Fault(Kind.CLOSE, when))
        assert await exchange(sim, port) == b""
        assert len(sim.ledger.effects()) == (when is When.AFTER)
    assert caplog.records == []


@rule
async def test_half_of_the_announced_length_arrives(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as (sim, port):
        sim.faults.add(Fault(Kind.CUT, When.AFTER))
        head, _, body = (await exchange(sim, port)).partition(b"\r\n\r\n")
        assert (
            b"content-length: %d" % (2 * len(body)) in head
            or b"content-length: %d" % (2 * len(body) + 1) in head
        )
        assert body.startswith(b'{"errcode":0')
    assert caplog.records == []


@rule
async def test_a_caller_that_leaves_a_call_that_hangs_has_asked_for_nothing() -> None:
    async with served() as (sim, port):
        sim.faults.add(Fault(Kind.HANG))
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(sim))
        await held(sim, 1)
        writer.close()
        await held(sim, 0)
        assert sim.ledger.effects() == []


@rule
async def test_the_server_ends_at_once_although_a_call_hangs(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as (sim, port):
        sim.faults.add(Fault(Kind.HANG))
        waiting = asyncio.create_task(exchange(sim, port))
        await held(sim, 1)
    assert await waiting == b""
    assert caplog.records == []
