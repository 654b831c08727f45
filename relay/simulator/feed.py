"""The page's event stream: the whole state first, then what changed; a page that reconnects starts over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from relay.simulator.stage import Stage
from relay.simulator.view import View

PING_SECONDS = 15
GATHER_SECONDS = 0.03  # real time: several changes become one event
MANY = 500  # changes after which a fresh state is shorter


class Feed:
    """Keeps no queue per page, only a position, so a slow page costs nothing and misses nothing."""

    def __init__(self, stage: Stage, view: View) -> None:
        self._stage = stage
        self._view = view
        self._pages: set[asyncio.Event] = set()
        self._closed = False

    def touch(self) -> None:
        """Let every page look again."""
        for page in self._pages:
            page.set()

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        self.touch()

    async def events(self) -> AsyncIterator[bytes]:
        """Give server-sent events until the page goes away."""
        changed = asyncio.Event()
        forget = self._stage.ledger.watch(changed.set)
        self._pages.add(changed)
        try:
            async for event in self._follow(changed):
                yield event
        finally:
            self._pages.discard(changed)
            forget()

    async def _follow(self, changed: asyncio.Event) -> AsyncIterator[bytes]:
        changes = self._stage.ledger.changes
        at, places = changes.total, self._view.places()
        yield b"retry: 1000\n" + _event("state", self._view.state())
        while not self._closed:
            if not await _wait(changed):
                yield b": still here\n\n"
            changed.clear()
            count, fresh, at = changes.total - at, changes.since(at), changes.total
            now = self._view.places()
            if count > min(MANY, len(fresh)) or now != places:
                yield _event("state", self._view.state())
            else:
                numbers = list(dict.fromkeys(fresh))
                kept = filter(self._stage.ledger.messages.keeps, numbers)
                messages = [self._view.message(number) for number in kept]
                yield _event("change", {"messages": messages, "status": self._view.status()})
            places = now


async def _wait(changed: asyncio.Event) -> bool:
    try:
        await asyncio.wait_for(changed.wait(), PING_SECONDS)
    except TimeoutError:
        return False
    await asyncio.sleep(GATHER_SECONDS)
    return True


def _event(name: str, value: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(value)}\n\n".encode()
