"""Removes what is long settled: a few rows at a time and with pauses, so that nobody waits for it."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from relay.clock import Clock
from relay.errors import StorageError
from relay.store.past import LASTING, Kept, Place
from relay.store.protocol import Store

log = structlog.get_logger("relay.retention")

FIRST = 10.0  # seconds after the start, which has more urgent work
EVERY = 600.0  # seconds between two rounds
LOG_EVERY = 10.0  # seconds between two looks at the length of the database's log
AIM = 0.003  # seconds that one transaction is to take
REST = 4  # of every five moments, others have so many for themselves
LOOKED_AT = 200  # rows at once
PAGES = 64  # given back to the disk at once
AT_ONCE = 100  # rows removed at once, at the most
SLACK = 86_400_000  # ms by which ids outlive `remember`: the platform's clock may differ from ours
AHEAD = 86_400_000  # ms by which our clock is ahead of the platform's where somebody is to look at it


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """For how long, in milliseconds, settled messages and ids of messages are kept."""

    retain: int
    remember: int


@dataclass(slots=True)
class _Stride:
    """How much is done at once, so that it takes about as long as it should."""

    size: int = 8
    most: int = AT_ONCE

    def took(self, seconds: float) -> None:
        """Learn from the last time."""
        if seconds > AIM:
            self.size = max(1, self.size // 2)
        elif seconds < AIM / 2:
            self.size = min(self.most, self.size * 2)


@dataclass(slots=True)
class Retention:
    """The chore of one process, beside its work."""

    store: Store
    clock: Clock
    settings: RetentionSettings
    platform: Callable[[], int | None] | None = None  #: its clock, as far as it has told; None: ours is right
    _strides: dict[Kept, _Stride] = field(default_factory=lambda: {kept: _Stride() for kept in Kept})
    _pages: _Stride = field(default_factory=lambda: _Stride(most=PAGES))

    async def run(self) -> None:
        """Go on until cancelled, whatever goes wrong."""
        await asyncio.gather(self._rounds(), self._watch_log())

    async def round(self) -> Counter[Kept]:
        """Remove all that may go by now; how much that was of each kind."""
        removed: Counter[Kept] = Counter()
        today = await self._today()
        for kept in Kept:
            removed[kept] = await self._walk(kept, today)
        await self._shrink()
        return +removed

    async def _rounds(self) -> None:
        pause = FIRST
        while True:
            await self.clock.sleep(pause)
            pause = EVERY
            try:
                removed = await self.round()
            except StorageError as exc:
                log.warning("retention_refused", error=str(exc))
            except Exception:  # a border: the past can wait for the next round, what is to be sent cannot
                log.exception("retention_failed")
            else:
                if removed:
                    log.info("past_removed", **{str(kept): count for kept, count in removed.items()})

    async def _watch_log(self) -> None:
        long = False
        while True:
            await self.clock.sleep(LOG_EVERY)
            try:
                short = await self.store.shorten_log()
            except StorageError as exc:
                short = False
                log.debug("log_not_shortened", error=str(exc))
            if long and not short:
                log.warning("log_stays_long")
            long = not short

    async def _walk(self, kept: Kept, today: int) -> int:
        """From the oldest on, until what comes is too young."""
        settings = self.settings
        before = today - (settings.remember + SLACK if kept in LASTING else settings.retain)
        removed, at = 0, await self.store.outdated(kept, None, before, LOOKED_AT)
        while True:
            removed += await self._remove(kept, at.keys, before)
            if at.after is None:
                return removed
            await self.clock.sleep(AIM)
            at = await self.store.outdated(kept, at.after, before, LOOKED_AT)

    async def _today(self) -> int:
        """Never later than the platform has it: what goes because our clock is years ahead is gone for good.

        Where it has told nothing, it is when somebody spoke last.
        """
        now = self.clock.now()
        if self.platform is None:
            return now
        told = self.platform()
        if told is not None and now - told > AHEAD:
            log.error("clock_ahead", days=(now - told) // 86_400_000)
            await self.store.count("clock_ahead_total", 1)
        return min(now, await self._said_last() if told is None else told)

    async def _said_last(self) -> int:
        last = await self.store.messages(limit=1)
        return round(dt.datetime.fromisoformat(str(last[0]["time"])).timestamp() * 1000) if last else 0

    async def _remove(self, kept: Kept, keys: Sequence[Place], before: int) -> int:
        stride, removed, left = self._strides[kept], 0, list(keys)
        while left:
            part = left[: stride.size]
            removal = await self.store.remove(kept, part, before)
            removed += removal.count
            if not removal.left:
                del left[: len(part)]
            stride.took(removal.seconds)
            await self.clock.sleep(max(AIM, removal.seconds * REST))
        return removed

    async def _shrink(self) -> None:
        """Give back what is free beyond what will be filled again soon."""
        while (spare := await self.store.spare_pages()) > 0:
            seconds = await self.store.shrink(min(spare, self._pages.size))
            self._pages.took(seconds)
            await self.clock.sleep(max(AIM, seconds * REST))
