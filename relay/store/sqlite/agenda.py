"""The store's side for whatever plugins handle beside messages: the protocol's words over SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import apsw

from relay.clock import Clock
from relay.store.occasions import Handled, Happened, Hearing, Moved, Occasion, Question, Row, Tick
from relay.store.sqlite import conversations, explaining, occasions
from relay.store.sqlite.connection import Database
from relay.store.sqlite.reading import ReadOnlyDatabase
from relay.store.sqlite.remembering import write_state
from relay.store.values import StateChange


class Agenda:
    """What `relay.store.occasions.Occasions` promises, on one SQLite file."""

    def __init__(self, database: Database | ReadOnlyDatabase, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    # -- what is to be handled ------------------------------------------------

    async def await_states(self, wanted: Sequence[tuple[str, str]]) -> None:
        if self._db.glance(occasions.awaited) != set(wanted):
            await self._db.write(lambda db: occasions.await_states(db, wanted))

    async def hear_events(self, types: Collection[str]) -> Hearing:
        known = self._db.glance(occasions.hearing)
        if set(known.since) == set(types):
            return known
        return await self._db.write(lambda db: occasions.hear_events(db, types))

    async def take_events(self, hearing: Hearing) -> Hearing:
        cursor, wanted = self._db.glance(lambda db: occasions.new_events(db, hearing))
        if wanted:
            await self._db.write(lambda db: occasions.take_events(db, wanted, cursor), synced=False)
        return replace(hearing, cursor=cursor)

    async def ticks(self) -> list[Tick]:
        return self._db.glance(occasions.ticks)

    async def plan(self, ticks: Sequence[Tick], gone: Sequence[Tick] = ()) -> None:
        if ticks or gone:
            await self._db.write(lambda db: occasions.plan(db, ticks, gone, self._clock.now()))

    async def tick(self, tick: Tick, next_at: int) -> bool:
        return await self._db.write(
            lambda db: occasions.tick(db, tick, next_at, self._clock.now()), synced=False
        )

    async def time_out(self, limit: int) -> int:
        now = self._clock.now()
        if not self._db.glance(lambda db: conversations.anything_over(db, now)):
            return 0
        return await self._db.write(lambda db: conversations.time_out(db, now, limit), synced=False)

    async def fresh(self, after: int, limit: int) -> list[Occasion]:
        return self._db.glance(lambda db: occasions.fresh(db, after, limit))

    async def claim(self, ids: Sequence[int]) -> list[Occasion]:
        return await self._db.write(lambda db: occasions.claim(db, ids), synced=False)

    async def give_back(self, ids: Sequence[int]) -> None:
        if ids:
            await self._db.write(lambda db: occasions.give_back(db, ids))

    async def happened(self, number: int) -> Happened | None:
        return self._db.glance(lambda db: occasions.happened(db, number))

    async def moved(self, number: int) -> Moved | None:
        return self._db.glance(lambda db: occasions.moved(db, number))

    async def finish(self, handled: Handled, expire_after: int) -> bool:
        return await self._db.share(self._finish_all, (handled, expire_after), synced=False)

    def _finish_all(self, db: apsw.Connection, asked: Sequence[tuple[Handled, int]]) -> list[bool]:
        now = self._clock.now()  # not before: the clock may be set, and that be heeded, while they wait
        return occasions.finish_all(db, [(*each, now) for each in asked])

    async def remember(self, changes: Sequence[StateChange]) -> None:
        if changes:
            await self._db.write(lambda db: write_state(db, changes, self._clock.now()))

    # -- conversations --------------------------------------------------------

    async def talking(self) -> list[tuple[str, str, str]]:
        return await self._db.read(conversations.talking)

    async def question(self, plugin: str, chat: str, sender: str, account: str) -> Question | None:
        return self._db.glance(lambda db: conversations.question(db, plugin, chat, sender, account))

    async def heard_at(self, message: int) -> int | None:
        return self._db.glance(lambda db: conversations.heard_at(db, message))

    async def conversations(self) -> list[Question]:
        return await self._db.read(conversations.every)

    async def cancel(self, ids: Sequence[int]) -> list[int]:
        return await self._db.write(lambda db: conversations.cancel(db, ids))

    # -- for people -----------------------------------------------------------

    async def occasion(self, number: int) -> Row | None:
        return await self._db.read(lambda db: explaining.occasion(db, number))

    async def occasions(self, *, message: int | None = None, state: str = "", limit: int = 50) -> list[Row]:
        return await self._db.read(lambda db: explaining.occasions(db, message, state, limit))
