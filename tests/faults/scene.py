"""A bot under load that things are done to, until it comes to rest and the checker looks at it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from faults.checker import Evidence, Heard, Pushed, Violation, Wanted, check
from faults.evidence import Watch, gather, now, rows
from processes.live import CUSTOMER, TEAMS, LiveBot, gone, platform, rooms, until

from relay.simulator.app import Simulator
from relay.simulator.ledger import Message

LOAD = 10  # messages a second, of which more than twice as many deliveries come
PATIENCE = 120.0  # seconds until everything rests: the log is asked for one chat a second
RESTS = 1.0  # seconds for which nothing moves, until that is believed
EVERYTHING = "everything"
SUPERVISOR = "supervisor"
ROLES = ("receiver", "router", "sender")

_UNREST = """
SELECT (SELECT count(*) FROM messages WHERE state = 'waiting')
  + (SELECT count(*) FROM deliveries WHERE state IN ('queued', 'sending', 'unknown', 'accepted'))
  + (SELECT count(*) FROM repairs) + (SELECT count(*) FROM gaps WHERE open = 1)
"""
_MOVED = "SELECT (SELECT max(id) FROM messages), (SELECT max(updated_at) FROM deliveries)"


def owed(message: Message) -> Counter[Wanted]:
    """What the bot of `live.py` is to do with what a customer says: two copies, and a price where asked."""
    others = next(set(rooms(team)) - {message.to} for team in range(TEAMS) if message.to in rooms(team))
    wanted: Counter[Wanted] = Counter(("forward", room) for room in others)
    if b"price" in message.content:
        wanted["send", message.to] += 1
    return wanted


class Scene:
    """One bot, one platform, and everything that was seen of them."""

    def __init__(self, simulator: Simulator, bot: LiveBot, chance: random.Random) -> None:
        self.simulator = simulator
        self.bot = bot
        self.chance = chance
        self.owed = owed
        self.watch = Watch(simulator.ledger)
        self.kills: Counter[str] = Counter()
        self.others: list[Pushed] = []  #: pushed by somebody else than the platform
        self._said = 0
        self._down: set[asyncio.Task[None]] = set()
        self._down_since: float | None = None

    def say(self, team: int, *, price: bool = False) -> None:
        """Let a customer say something that nobody said before."""
        self._said += 1
        words = f"price of {self._said}?" if price else f"hello {self._said}"
        self.simulator.say(self.chance.choice(rooms(team)), CUSTOMER, words)

    async def warm(self) -> None:
        """Return once what somebody said has had its effect: the sender is the last to begin."""
        self.say(0)
        await until(self.simulator.ledger.effects)

    @contextlib.asynccontextmanager
    async def talk(self, rate: float = LOAD) -> AsyncIterator[None]:
        """Customers who go on talking within the block, whatever happens to the bot."""

        async def go_on() -> None:
            while True:
                self.say(self._said % TEAMS, price=self.chance.random() < 0.3)
                await asyncio.sleep(1 / rate)

        talking = asyncio.create_task(go_on())
        try:
            yield
        finally:
            talking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await talking

    async def kill(self, victim: str) -> None:
        """kill -9 of a role, of the supervisor, or of everything, and have it serve again."""
        await self.end(victim)
        await self.revive()

    async def end(self, victim: str) -> None:
        """kill -9; a role is started again by its supervisor, all else by `revive`."""
        self.kills[victim] += 1
        if victim not in (EVERYTHING, SUPERVISOR):
            await self._kill_role(victim)
            return
        self._down_since = now()
        if victim == EVERYTHING:
            await self.bot.kill()
        else:
            await self._kill_supervisor()

    async def revive(self) -> None:
        """Start the bot again, if it was ended."""
        if self._down_since is not None:
            await self.bot.start()
            self.watch.dead.append((self._down_since, now()))
            self._down_since = None

    async def _kill_role(self, role: str) -> None:
        pid = await self.bot.pid(role)
        down = now()
        with contextlib.suppress(ProcessLookupError):  # it may have ended by itself since
            os.kill(pid, signal.SIGKILL)
        await until(lambda: gone(pid))  # or it would be taken for its successor
        if role == "receiver":
            task = asyncio.create_task(self._note_return(pid, down))
            self._down.add(task)
            task.add_done_callback(self._down.discard)

    async def _note_return(self, killed: int, down: float) -> None:
        await until(lambda: gone(killed))
        await self.bot.pid("receiver")
        self.watch.dead.append((down, now()))

    async def _kill_supervisor(self) -> None:
        """What it started is to end by itself."""
        assert self.bot.process is not None
        self.bot.process.kill()
        await asyncio.to_thread(self.bot.process.wait)
        await until(lambda: not self.bot.pids(wardens=False))

    async def rest(self, patience: float = PATIENCE) -> None:
        """Wait until nothing moves any more; what never rests is the checker's to tell."""
        await asyncio.gather(*self._down)
        await self.simulator.settle()
        with contextlib.suppress(TimeoutError):
            await until(self._rests, patience)
        assert await self.bot.stop() == 0
        await self.simulator.settle()

    async def _rests(self) -> bool:
        before = await self._look(_MOVED)
        if await self._look(_UNREST) != [(0,)]:
            return False
        await asyncio.sleep(RESTS)
        return await self._look(_UNREST) == [(0,)] and await self._look(_MOVED) == before

    async def _look(self, sql: str) -> list[tuple[Any, ...]]:
        """In a thread: whoever waits for the database would hold up the platform, too."""
        return await asyncio.to_thread(rows, self.bot.folder, sql)

    def evidence(self) -> Evidence:
        """What is known, after `rest`."""
        return gather(self.simulator, self.bot.folder, self.watch, self.owed, self.others)

    def unheard(self) -> set[Heard]:
        """What customers said and is not stored, answered or not: what nobody heard is to be fetched."""
        evidence = self.evidence()
        return (evidence.owed or {}).keys() - {message.heard for message in evidence.messages}

    def verdict(self, told: Callable[[str, object], None]) -> list[Violation]:
        """What the checker finds, and figures for the summary by way of `told`."""
        evidence = self.evidence()
        found = check(evidence)
        states = Counter(delivery.state for delivery in evidence.deliveries)
        told("figures", {"faults": self.kills.total(), **evidence.rows(), "held": states["held"]})
        told("violations", Counter(str(violation.rule) for violation in found))
        assert evidence.effects, "nothing took effect: there was no load"
        return found


@contextlib.asynccontextmanager
async def scene(folder: Path, seed: object) -> AsyncIterator[Scene]:
    """A bot that serves, and its platform; what happens by chance is the same for the same seed."""
    async with platform(folder) as (simulator, bot):
        await bot.start()
        stage = Scene(simulator, bot, random.Random(str(seed)))
        async with stage.watch.awake():
            yield stage
