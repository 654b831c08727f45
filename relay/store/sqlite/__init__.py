"""The store on one SQLite file: the protocol's words on the left, the SQL of its modules on the right."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import apsw

from relay.clock import Clock
from relay.errors import StorageError
from relay.store.journal import Mark
from relay.store.past import Kept, Outdated, Place, Removal
from relay.store.sqlite import (
    aside,
    ask,
    clocks,
    ears,
    figures,
    gaps,
    guard,
    ingest,
    operating,
    queries,
    remembering,
    retention,
    routing,
    sending,
    signals,
    unknowns,
)
from relay.store.sqlite.agenda import Agenda
from relay.store.sqlite.asked import Asked
from relay.store.sqlite.connection import Database
from relay.store.sqlite.reading import ReadOnlyDatabase
from relay.store.values import (
    Aside,
    Callback,
    Conclusion,
    Damaged,
    Delivery,
    Doubled,
    Gap,
    Identified,
    Intent,
    Operated,
    Pause,
    Repair,
    Result,
    Routing,
    Settled,
    Signal,
    StoredMessage,
    Tracked,
    Turn,
    Unknown,
    Verdict,
)
from relay.wire.entries import Entry
from relay.wire.notifications import Reading

EAR = "receiver"
"""The role whose signs of life mean that somebody listens."""

_META = "SELECT value FROM meta WHERE key = ?"


class SqliteStore(Asked):
    """Every write is one transaction that is on disk when the call returns."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        synchronous: str = "FULL",
        read_only: bool = False,
        patient: bool = False,
        hurried: bool = False,
    ) -> None:
        """`read_only` looks into a file without migrating or writing it; `StorageError` where that fails.

        A `patient` one waits for a locked database until it is closed; a `hurried` one goes before others.
        """
        self._db: Database | ReadOnlyDatabase
        if read_only:
            self._db = ReadOnlyDatabase(path)
        else:
            self._db = Database(path, synchronous=synchronous, patient=patient, hurried=hurried)
        self._clock = clock
        self._ear = ears.Ear(clock)
        self.occasions = Agenda(self._db, clock)

    def close(self) -> None:
        self._db.close()

    @property
    def origin(self) -> str:
        return str(self._db.glance(lambda db: ask.value(db, _META, ("origin",))))

    # -- the receiver ---------------------------------------------------------

    async def ingest(
        self,
        entries: Sequence[Entry],
        accounts: Sequence[str] = (),
        damaged: Sequence[tuple[str, bytes]] = (),
        received_at: int | None = None,
    ) -> int:
        now = self._clock.now() if received_at is None else received_at
        return await self._db.share(ingest.ingest_all, Callback(entries, accounts, now, damaged))

    async def damaged(self, limit: int) -> list[Damaged]:
        return await self._db.read(lambda db: ingest.damaged(db, limit))

    async def take_in(self, damaged: int, reading: Reading) -> int:
        return await self._db.write(lambda db: ingest.take_in(db, damaged, reading))

    async def ingest_journal(self, callbacks: Sequence[Callback], mark: Mark) -> None:
        await self._db.write(lambda db: aside.ingest_journal(db, callbacks, mark))

    async def marks(self) -> dict[str, Mark]:
        return await self._db.read(aside.marks)

    async def inherit(self, heir: str, others: Sequence[str]) -> None:
        await self._db.write(lambda db: aside.inherit(db, heir, others))

    async def put_aside(self, body: bytes, received_at: int, mark: Mark, reader: str) -> int:
        return await self._db.write(lambda db: aside.put(db, body, received_at, mark, reader))

    async def take_aside(self, journal: str) -> Aside | None:
        return await self._db.write(lambda db: aside.take(db, journal))

    async def keep_part(self, number: int, part: Callback, parts: int) -> None:
        await self._db.write(lambda db: aside.keep_part(db, number, part, parts))

    async def drop_aside(self, number: int) -> None:
        await self._db.write(lambda db: aside.drop(db, number))

    async def add_accounts(self, wxids: Sequence[str], source: str) -> None:
        now = self._clock.now()
        await self._db.write(lambda db: ingest.add_accounts(db, wxids, source, now))

    # -- the router -----------------------------------------------------------

    async def identify(
        self, limit: int, remember: int, *, include_own: bool = False
    ) -> tuple[list[Identified], int]:
        # Most looks find nothing, and a write would hold up the receiver's.
        if not self._db.glance(guard.anything_new):
            return [], 0
        now = self._clock.now()
        return await self._db.write(
            lambda db: guard.identify(db, limit, now, remember, include_own=include_own), synced=False
        )

    async def waiting(self) -> list[Identified]:
        return await self._db.read(routing.waiting)

    async def claim(self, ids: Sequence[int]) -> list[StoredMessage]:
        return await self._db.write(lambda db: routing.claim(db, ids), synced=False)

    async def give_back(self, ids: Sequence[int]) -> None:
        if ids:
            await self._db.write(lambda db: routing.give_back(db, ids))

    async def turn(self, message: int) -> Turn | None:
        return self._db.glance(lambda db: routing.turn(db, message))

    async def finish(self, routed: Routing, expire_after: int) -> bool:
        return await self._db.share(self._finish_all, (routed, expire_after), synced=False)

    def _finish_all(self, db: apsw.Connection, asked: Sequence[tuple[Routing, int]]) -> list[bool]:
        now = self._clock.now()  # not before: the clock may be set, and that be heeded, while they wait
        return routing.finish_all(db, [routing.Finish(*each, now) for each in asked])

    async def state(self, plugin: str, key: str) -> tuple[str, int | None] | None:
        return self._db.glance(lambda db: remembering.state(db, plugin, key))

    async def names(self, wxids: Sequence[str]) -> dict[str, str]:
        return self._db.glance(lambda db: remembering.names(db, wxids))

    async def write_names(self, named: Sequence[tuple[str, str]]) -> None:
        now = self._clock.now()
        await self._db.write(lambda db: remembering.write_names(db, named, now), synced=False)

    async def unnamed_rooms(self, fresh_for: int, limit: int) -> list[tuple[str, str]]:
        stale = self._clock.now() - fresh_for
        return await self._db.read(lambda db: remembering.unnamed_rooms(db, stale, limit))

    async def unnamed_senders(self, fresh_for: int, limit: int) -> list[tuple[str, str, str, str]]:
        stale = self._clock.now() - fresh_for
        return await self._db.read(lambda db: remembering.unnamed_senders(db, stale, limit))

    # -- the sender -----------------------------------------------------------

    async def begin_sending(self, resolve_within: int) -> int:
        return await self._db.write(lambda db: sending.begin(db, resolve_within, self._clock.now()))

    async def due(self, depth: int) -> list[list[Delivery]]:
        now = self._clock.now()
        return self._db.glance(lambda db: sending.due(db, depth, now))

    async def record_intent(self, deliveries: Sequence[Delivery], epoch: int) -> list[Intent]:
        now = self._clock.now()
        return await self._db.write(lambda db: sending.record_intent(db, deliveries, epoch, now))

    async def record_results(self, results: Sequence[Result]) -> None:
        await self._db.share(sending.record_results, (results, self._clock.now()), synced=False)

    async def settle_due(self) -> list[Settled]:
        now = self._clock.now()
        if not self._db.glance(lambda db: sending.anything_due(db, now)):
            return []
        return await self._db.write(lambda db: sending.settle_due(db, now))

    async def recent_starts(self, since: int) -> list[tuple[str, int]]:
        return await self._db.read(lambda db: sending.recent_starts(db, since))

    async def pauses(self) -> list[Pause]:
        return await self._db.read(sending.pauses)

    async def set_pause(self, pause: Pause) -> None:
        await self._db.write(lambda db: sending.set_pause(db, pause))

    async def signals(self, after: tuple[int, int], limit: int) -> list[Signal]:
        return self._db.glance(lambda db: signals.signals(db, after, limit))

    async def by_api_send_id(self, delivery: int, number: int, account: str) -> Tracked | None:
        return self._db.glance(lambda db: signals.by_api_send_id(db, delivery, number, account))

    async def by_api_send_svrid(self, api_send_svrid: str, account: str) -> Tracked | None:
        return self._db.glance(lambda db: signals.by_api_send_svrid(db, api_send_svrid, account))

    async def forwards_without_echo(self, signal: Signal, window: int) -> list[Tracked]:
        return self._db.glance(lambda db: signals.forwards_without_echo(db, signal, window))

    async def settle(self, verdicts: Sequence[Verdict], confirm_after: int) -> list[Doubled]:
        now = self._clock.now()
        return await self._db.write(lambda db: signals.settle(db, verdicts, confirm_after, now), synced=False)

    async def unresolved(self, limit: int) -> list[Unknown]:
        now = self._clock.now()
        return self._db.glance(lambda db: unknowns.unresolved(db, now, limit))

    async def recover(self, entries: Sequence[Entry]) -> int:
        now = self._clock.now()
        return await self._db.write(lambda db: unknowns.recover(db, entries, now))

    async def heard(self, account: str, since: int, after: int) -> bool:
        now = self._clock.now()
        return await self._db.read(lambda db: unknowns.heard(db, account, since, after, now))

    async def may_be_there(self, unknown: Unknown) -> bool:
        return await self._db.read(lambda db: unknowns.may_be_there(db, unknown))

    async def conclude(self, concluded: Sequence[Conclusion]) -> list[Settled]:
        now = self._clock.now()
        return await self._db.write(lambda db: unknowns.conclude(db, concluded, now))

    async def echo_p99(self) -> int | None:
        now = self._clock.now()
        return await self._db.read(lambda db: signals.echo_p99(db, now))

    async def note_gap(self, begins: int, ends: int) -> None:
        await self._db.write(lambda db: gaps.note(db, begins, ends))

    async def open_gap(self, before: int) -> Gap | None:
        return self._db.glance(lambda db: gaps.open_gap(db, before))

    async def begin_repair(self, gap: Gap) -> int:
        chats = await self._db.read(lambda db: gaps.chats_of(db, gap))
        await self._db.write(lambda db: gaps.begin_repair(db, gap, chats))
        return len(chats)

    async def repairs(self, limit: int) -> list[Repair]:
        return self._db.glance(lambda db: gaps.repairs(db, limit))

    async def postpone(self, repair: Repair) -> None:
        await self._db.write(lambda db: gaps.postpone(db, repair), synced=False)

    async def ask_others(self, repair: Repair) -> None:
        await self._db.write(lambda db: gaps.ask_others(db, repair), synced=False)

    async def repaired_until(self, repair: Repair, after: str) -> None:
        await self._db.write(lambda db: gaps.repaired_until(db, repair, after), synced=False)

    async def repaired(self, repair: Repair) -> int:
        return await self._db.write(lambda db: gaps.repaired(db, repair), synced=False)

    async def shift(self, by: int, within: int = 1_000) -> None:
        await self._db.write(lambda db: clocks.shift(db, self._clock, by, within))

    async def heed_clock(self) -> int:
        return await self._db.write(lambda db: clocks.heed(db, self._clock))

    # -- the operator ---------------------------------------------------------

    async def retry(self, deliveries: Sequence[int], expire_after: int) -> list[Operated]:
        now = self._clock.now()
        return await self._db.write(lambda db: operating.retry(db, deliveries, expire_after, now))

    async def discard(self, deliveries: Sequence[int]) -> list[Operated]:
        now = self._clock.now()
        return await self._db.write(lambda db: operating.discard(db, deliveries, now))

    # -- everybody ------------------------------------------------------------

    async def meta(self, key: str) -> str | None:
        found: str | None = self._db.glance(lambda db: ask.value(db, _META, (key,)))
        return found

    async def set_meta(self, key: str, value: str) -> None:
        await self._db.write(
            lambda db: ask.every(db, "INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
        )

    def version(self) -> int:
        return self._db.version()

    async def beat(self, role: str, pid: int, note: Mapping[str, object]) -> None:
        def alive(db: apsw.Connection) -> None:
            queries.beat(db, role, pid, dict(note), self._clock.now())
            clocks.notice(db, self._clock)
            if role == EAR:
                self._ear.listens(db, pid)

        await self._db.write(alive, synced=False)
        if role == EAR:
            self._ear.was_noted()

    async def leave(self, role: str, pid: int) -> None:
        await self._db.write(lambda db: queries.leave(db, role, pid, self._clock.now()))

    async def count(self, name: str, times: int) -> None:
        await self._db.write(lambda db: figures.count_answers(db, name, times, self._clock.now()))

    # -- the past -------------------------------------------------------------

    async def outdated(self, kept: Kept, after: Place | None, before: int, limit: int) -> Outdated:
        return self._db.glance(lambda db: retention.outdated(db, kept, after, before, limit))

    async def remove(self, kept: Kept, keys: Sequence[Place], before: int) -> Removal:
        return await self._db.write(lambda db: retention.remove(db, kept, keys, before), synced=False)

    async def spare_pages(self) -> int:
        return self._db.glance(retention.spare_pages)

    async def shrink(self, pages: int) -> float:
        return await self._db.write(lambda db: retention.shrink(db, pages), synced=False)

    async def shorten_log(self) -> bool:
        try:
            return await asyncio.to_thread(retention.shorten_log, self._db.path)
        except (apsw.Error, OSError) as exc:
            raise StorageError(f"the log of {self._db.path.name} stays long: {exc}") from exc
