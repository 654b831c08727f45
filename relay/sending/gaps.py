"""Fetch what was said while nobody listened: chat by chat, where somebody spoke last first."""

from __future__ import annotations

import asyncio
from collections import Counter

import structlog

from relay.clock import CLOCKS_DIFFER, Clock
from relay.sending.budget import Budget
from relay.sending.history import History, Wanted, Word
from relay.store.protocol import Store
from relay.store.values import Repair

log = structlog.get_logger("relay.gaps")

SETTLE = 5_000  # ms after the end of a gap in which what is live goes first
AT_ONCE = 4  # calls on their way
MOST_TRIES = 30  # of one chat, each after a rest
LOOK = 1_000  # ms between two looks
LOSSES = ("lost_total", "answers_late_total")  # counters of callbacks that nobody may have heard
COUNTED = "losses_counted"  # in meta: how many there were, and when that was written
COUNTED_LATE = 120_000  # ms by which a loss may be counted after it happened
WRITTEN_EVERY = 300_000  # ms between two notes that there were no more


class Gaps:
    """`repair` is an errand that goes on until nothing is left to fetch, or the budget is used up."""

    def __init__(self, store: Store, history: History, clock: Clock, calls_per_minute: int) -> None:
        self._store = store
        self._history = history
        self._clock = clock
        self._budget = Budget(calls_per_minute)
        self._look_at = 0
        self._recovered = 0
        self._counted_at: int | None = None
        self._tries: Counter[tuple[str, str]] = Counter()

    async def due(self) -> bool:
        """Whether there is something to fetch, and leave to ask."""
        if self._clock.steady() < self._look_at:
            return False
        self._look_at = self._clock.steady() + LOOK
        await self._count_losses(self._clock.now())
        if await self._store.open_gap(self._clock.now() - SETTLE) is not None:
            return True
        return self._may_ask() and bool(await self._store.repairs(1))

    async def repair(self) -> None:
        """List the chats of every gap that is over, and fetch as many as the budget allows."""
        while (gap := await self._store.open_gap(self._clock.now() - SETTLE)) is not None:
            chats = await self._store.begin_repair(gap)
            log.warning("gap_found", seconds=round((gap.ends - gap.begins) / 1000), chats=chats)
        while self._may_ask() and (several := await self._store.repairs(AT_ONCE)):
            if not all(await asyncio.gather(*map(self._fetch, several))):
                break
        self._look_at = self._clock.steady() + LOOK

    async def _fetch(self, repair: Repair) -> bool:
        """Whether the log told, or will never tell, of this chat."""
        ahead = self._history.ahead()
        wanted = Wanted(
            account=repair.account,
            chat=repair.chat,
            after=repair.after,
            since=repair.begins + ahead - CLOCKS_DIFFER,
            until=repair.ends + ahead + CLOCKS_DIFFER,
        )
        pulled = await self._history.pull(wanted, self._budget)
        if pulled.word is Word.SILENT and not self._is_hopeless(repair):
            await self._store.postpone(repair)
            return False
        if pulled.word is Word.REFUSED:
            await self._store.ask_others(repair)
        self._recovered += pulled.recovered
        if pulled.goes_on not in ("", repair.after):
            await self._store.repaired_until(repair, pulled.goes_on)
            return True
        if not await self._store.repaired(repair):
            log.info("gap_repaired", messages=self._recovered)
            self._recovered = 0
        return True

    def _is_hopeless(self, repair: Repair) -> bool:
        """Whether this chat is what the log does not answer to: it must not hold up lookups for ever."""
        chat = (repair.account, repair.chat)
        self._tries[chat] += 1
        if self._tries[chat] < MOST_TRIES:
            return False
        del self._tries[chat]
        log.error("gap_not_repaired", account=repair.account, chat=repair.chat)
        return True

    async def _count_losses(self, now: int) -> None:
        """A callback that was lost, or answered too late, makes a gap of the time since the last look."""
        counters = await self._store.counters()
        losses = sum(counters.get(name, 0) for name in LOSSES)
        before, _, at = (await self._store.meta(COUNTED) or f"{losses} 0").partition(" ")
        since, self._counted_at = self._counted_at or int(at), now
        if losses > int(before):
            await self._store.note_gap(min(since, now) - COUNTED_LATE, now)
        if losses != int(before) or not 0 <= now - int(at) < WRITTEN_EVERY:
            await self._store.set_meta(COUNTED, f"{losses} {now}")

    def _may_ask(self) -> bool:
        return self._budget.allows(self._clock.steady()) and not self._history.rests()
