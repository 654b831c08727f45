"""The worst bodies that fit through the door make nobody else's answer late."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from pathlib import Path

import hostile
import pytest
from bots import rule, sealed

from relay.clock import SystemClock
from relay.receiving.intake import Intake, opener
from relay.receiving.receiver import Receiver, ReceiverSettings
from relay.store.journal import beside
from relay.store.sqlite import SqliteStore
from relay.testing import SECRETS

LATE = 1.0  # seconds: the platform's patience
KEY = SECRETS["RELAY_AES_KEY"].encode()
SETTINGS = ReceiverSettings("/x", KEY)


def filled(unit: bytes, size: int) -> bytes:
    return b",".join([unit] * (size // (len(unit) + 1)))


def one(**more: bytes) -> bytes:
    return sealed(hostile.envelope(hostile.entry(**more)))


WORST: dict[str, Callable[[int], bytes]] = {
    "entries of nothing": lambda size: sealed(hostile.envelope(filled(b"{}", size))),
    "entries that are numbers": lambda size: sealed(hostile.envelope(filled(b"1", size))),
    "entries with NaN": lambda size: sealed(hostile.envelope(filled(b'{"a":NaN}', size))),
    "notifications of nothing": lambda size: sealed(b"[%b]" % filled(b'{"type":"x"}', size)),
    "depth": lambda size: one(content=hostile.deep(b"[", depth=size // 2)),
    "depth of objects": lambda size: one(content=hostile.deep(b'{"":', depth=size // 6)),
    "an id of escapes": lambda size: one(svrid=b'"%b"' % (rb"\u0000" * (size // 6))),
    "an extra of escapes": lambda size: one(extra=b'"%b"' % (rb"\"" * (size // 2))),
    "a time without end": lambda size: one(msg_time=b"9" * size),
    "open brackets": lambda size: sealed(b"[" * size),
    "a wrapper of keys": lambda size: b"{%b}" % filled(b'"k":""', size),
    "a wrapper of escapes": lambda size: b'"%b"' % (rb"\"" * (size // 2)),
}


def reading(receiver: Receiver) -> bool:
    return bool(receiver._intake._line) or receiver._intake._large.busy


async def neighbours(receiver: Receiver, body: bytes, most: int) -> list[float]:
    """How long small callbacks wait for their answers while a large one is taken."""
    taken = asyncio.create_task(receiver.keep(body))
    waits: list[float] = []
    while not taken.done() or (reading(receiver) and len(waits) < most):
        small = one(svrid=b'"n%d"' % len(waits))
        began = time.perf_counter()
        await receiver.keep(small)
        waits.append(time.perf_counter() - began)
        await asyncio.sleep(0.01)
    await taken
    await receiver.finish(0.1)
    return waits


def check(folder: Path, body: bytes, most: int) -> None:
    @rule
    async def run() -> None:
        store = SqliteStore(folder / "relay.db", SystemClock())
        try:
            journal = beside(folder / "relay.db", store.origin)
            intake = Intake(store, [journal], opener(SETTINGS.key, allow_plaintext=False))
            waits = await neighbours(Receiver(journal, None, intake, SETTINGS, SystemClock()), body, most)
            assert waits
            assert max(waits) < LATE
            kept = len(await store.messages(limit=1)), len(await store.damaged(1))
            assert kept != (0, 0)
        finally:
            store.close()
            gc.collect()

    run()


@pytest.mark.parametrize("name", ["entries with NaN", "depth of objects", "a wrapper of keys"])
def test_a_hostile_body_of_400_kb_makes_no_neighbour_late(name: str, tmp_path: Path) -> None:
    check(tmp_path, WORST[name](300_000), 30)


@pytest.mark.long
@pytest.mark.parametrize("name", WORST)
def test_a_hostile_body_of_8_mb_makes_no_neighbour_late(name: str, tmp_path: Path) -> None:
    check(tmp_path, WORST[name](6_000_000), 300)
