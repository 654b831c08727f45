"""What goes by express is answered as what goes through ASGI, byte for byte; and only what is usual goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest
from bots import callback, entry, make_bot, messages, rule
from receiver.door import GOOD, PATH, Door, head, post, serving, statuses

from relay.receiving.door import ANSWER
from relay.receiving.express import Express
from relay.receiving.receiver import Receiver
from relay.receiving.sources import Sources, read_networks
from relay.serving.connections import Connection
from relay.serving.crowd import Limits

DATE = b"Sun, 22 Nov 2026 14:55:00 GMT"
USUAL = post(last=False)
CHUNKED = head(headers="transfer-encoding: chunked\r\n")
BY_EXPRESS: dict[str, tuple[bytes, int]] = {
    "a callback": (USUAL, 1),
    "one of another": (post(callback(entry("7")), last=False), 1),
    "one that nobody can read": (post(b"x" * 1000, last=False), 1),
    "one without a body": (post(b"", last=False), 1),
    "one with other letters": (USUAL.replace(b"content-length", b"Content-LENGTH"), 1),
    "a large one": (post(b"x" * 99_999, last=False), 1),
    "one with garbage behind it": (USUAL + b"\0\0 garbage", 1),
    "two, of which the second has to wait": (USUAL * 2, 1),
    "one, something else, and one": (USUAL + head("GET /healthz HTTP/1.1") + USUAL, 1),
    "one whose end does not come": (USUAL[:-1], 1),
}
THROUGH_ASGI: dict[str, bytes] = {
    "the last one": post(),
    "another path": post(path="/callback/else", last=False),
    "a longer path": post(path=PATH + "/", last=False),
    "a path in other words": post(path=PATH.replace("c", "%63", 1), last=False),
    "a query": post(path=PATH + "?a=b", last=False),
    "a whole address": post(path="http://x" + PATH, last=False),
    "GET": head(f"GET {PATH} HTTP/1.1"),
    "HEAD": head(f"HEAD {PATH} HTTP/1.1"),
    "PUT": USUAL.replace(b"POST", b"PUT"),
    "HTTP/1.0": USUAL.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "chunked": CHUNKED + b"3\r\nabc\r\n0\r\n\r\n",
    "who asks first": post(headers="expect: 100-continue\r\n", last=False),
    "no length": head(),
    "two lengths": post(headers="content-length: 3\r\n", last=False),
    "too large": post(b"x" * 100_001, last=False),
    "health": head("GET /healthz HTTP/1.1"),
    "half a head": USUAL[:40],
    "no HTTP": b"hello",
}


async def tell(door: Door, sent: bytes) -> bytes:
    """All that is answered to somebody who sends this and finishes."""
    door.server.server_state.default_headers = [(b"date", DATE)]
    reader, writer = await door.open()
    with contextlib.suppress(ConnectionError):
        writer.write(sent)
        writer.write_eof()
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


def counted(monkeypatch: pytest.MonkeyPatch, *, allowed: bool = True) -> list[bytes]:
    """Every request that goes by express from now on; none where it is not allowed."""
    rides: list[bytes] = []
    goes_by: Callable[[Connection, Express], bool] = Connection._goes_by

    def judge(connection: Connection, express: Express) -> bool:
        if allowed and goes_by(connection, express):
            rides.append(connection.url)
            return True
        return False

    monkeypatch.setattr(Connection, "_goes_by", judge)
    return rides


def taken(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every body that is kept from now on."""
    bodies: list[bytes] = []
    take = Receiver.take

    def note(receiver: Receiver, body: bytes, done: Callable[[], None]) -> None:
        bodies.append(body)
        take(receiver, body, done)

    monkeypatch.setattr(Receiver, "take", note)
    return bodies


ALL = {**BY_EXPRESS, **{name: (sent, 0) for name, sent in THROUGH_ASGI.items()}}


@pytest.mark.parametrize("closing", [False, True], ids=["", "the last answers"])
@rule
async def test_both_ways_answer_and_keep_the_same(closing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = taken(monkeypatch)
    outcomes: dict[str, list[tuple[bytes, list[bytes]]]] = {name: [] for name in ALL}
    for allowed in (True, False):
        rides = counted(monkeypatch, allowed=allowed)
        async with make_bot() as bot, serving(bot, max_body=100_000) as door:
            door.server.crowd.closing = closing
            for name, (sent, due) in ALL.items():
                outcomes[name].append((await tell(door, sent), bodies[:]))
                assert (name, len(rides)) == (name, due if allowed else 0)
                rides.clear()
                bodies.clear()
    for name, (short, long) in outcomes.items():
        assert (name, short) == (name, long)


@rule
async def test_the_answer_is_the_documented_one() -> None:
    async with make_bot() as bot, serving(bot) as door:
        assert await tell(door, USUAL) == (
            b"HTTP/1.1 200 OK\r\ndate: " + DATE + b"\r\ncontent-type: application/json\r\n"
            b'content-length: 13\r\n\r\n{"errcode":0}'
        )


@rule
async def test_every_callback_of_a_kept_connection_goes_by_express(monkeypatch: pytest.MonkeyPatch) -> None:
    rides = counted(monkeypatch)
    async with make_bot() as bot, serving(bot) as door:
        reader, writer = await door.open()
        for number in range(5):
            sent = post(callback(entry(str(number))), last=False)
            for part in (sent[:30], sent[30:-9], sent[-9:]):
                writer.write(part)
                await asyncio.sleep(0)
            assert statuses(await reader.readuntil(ANSWER)) == [200]
        assert len(await messages(bot)) == len(rides) == 5
        writer.close()


@rule
async def test_who_may_not_post_is_refused_before_the_body_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    rides = counted(monkeypatch)
    theirs = read_networks(["203.0.113.7"])[0]
    async with make_bot() as bot, serving(bot, allowed_ips=tuple(theirs)) as door:
        assert statuses(await tell(door, USUAL[: -len(GOOD)])) == [403]
        assert (len(await messages(bot)), rides) == (0, [])


@pytest.mark.parametrize("path", ["/call%62ack", "/回调", "/a?b", "/a#b", "/a b"])
def test_a_path_that_is_not_told_from_its_bytes_goes_through_asgi(path: str) -> None:
    express = Express(path, Sources((), ()), 1000, lambda body, done: done(), ANSWER)
    assert not express.admits(path.encode(), [(b"content-length", b"3")], None)
    assert not express.admits(b"", [(b"content-length", b"3")], None)


@rule
async def test_a_connection_that_nobody_uses_is_closed_in_the_end() -> None:
    async with make_bot() as bot, serving(bot, Limits(within=0.2, idle=0.3)) as door:
        reader, writer = await door.open()
        for _ in range(4):
            writer.write(USUAL)
            await reader.readuntil(ANSWER)
            await asyncio.sleep(0.15)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
