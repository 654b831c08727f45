"""A router whose pipeline tests hold up, and the ways in which it dies or is refused the disk."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from bots import (
    ONE,
    WEST,
    eventually,
    messages,
)

from relay.authoring.message import Message
from relay.routing.blackbox import BlackBox
from relay.routing.pipeline import Pipeline
from relay.routing.router import Router, RouterSettings
from relay.store.states import DeliveryKind, MessageState
from relay.store.values import NewDelivery, Routing, TraceLine
from relay.testing import Bot

SETTINGS = RouterSettings(10**12, 1000, dt.UTC, accounts_configured=True)


def forward(target: str = WEST) -> NewDelivery:
    return NewDelivery("p", "r", 0, DeliveryKind.FORWARD, ONE, target, None)


class Gates:
    """A pipeline in which messages wait at the gate of their text, if that is closed."""

    includes_own = False

    def __init__(self, *closed: str) -> None:
        self.gates: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.closed = set(closed)
        self.begun: list[str] = []
        self.box = BlackBox()

    async def run(self, number: int, message: Message, *, dry_run: bool = False) -> Routing:
        self.begun.append(message.text)
        if message.text == "deadly":
            self.box.blame(number, "p.h")
        if message.text in self.closed:
            await self.gates[message.text].wait()
        line = TraceLine("p", "r", "forward", "to West", 0.1)
        return Routing(number, MessageState.ROUTED, None, (line,), (forward(),))

    def stored(self, routing: Routing) -> None:
        """There is nothing to remember."""

    async def has_begun(self, text: str) -> None:
        async def there() -> bool:
            return text in self.begun

        await eventually(there)


def router(bot: Bot, gates: Gates) -> Router:
    return Router(bot.store, cast(Pipeline, gates), bot.clock, SETTINGS)


@asynccontextmanager
async def routed(bot: Bot, gates: Gates) -> AsyncIterator[Router]:
    """A router that runs beside the test and dies at its end."""
    alive = router(bot, gates)
    stop = asyncio.Event()

    async def step_and_look() -> bool:
        await alive.step()
        return stop.is_set()

    task = asyncio.create_task(eventually(step_and_look))
    yield alive
    stop.set()
    await task
    await alive._tasks.cancel()


async def until(bot: Bot, svrid: str, state: str) -> None:
    async def there() -> bool:
        return {row["svrid"]: row["state"] for row in await messages(bot)}.get(svrid) == state

    await eventually(there)
