"""What people and other programs ask the store on SQLite: the part of the protocol that writes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from relay.clock import Clock
from relay.store.sqlite import acquaintances, explaining, figures, ingest, observing, queries, replaying
from relay.store.sqlite.connection import Database
from relay.store.sqlite.reading import ReadOnlyDatabase
from relay.store.values import Damaged, Figures, NewDelivery, Span, StoredMessage, Wanted


class Asked:
    """Answers from the database; whoever inherits it opens that."""

    _db: Database | ReadOnlyDatabase
    _clock: Clock

    async def accounts(self) -> list[str]:
        return await self._db.read(queries.accounts)

    async def messages(
        self, *, chats: Sequence[str] = (), since: int = 0, limit: int = 50
    ) -> list[queries.Row]:
        return await self._db.read(lambda db: queries.messages(db, chats, since, limit))

    async def message(self, number: int) -> queries.Row | None:
        return await self._db.read(lambda db: explaining.message(db, number))

    async def numbered(self, svrid: str) -> list[int]:
        return await self._db.read(lambda db: explaining.numbered(db, svrid))

    async def trace(self, message: int) -> list[queries.Row]:
        return await self._db.read(lambda db: explaining.trace(db, message))

    async def requests(self, deliveries: Sequence[int]) -> dict[str, list[queries.Row]]:
        return await self._db.read(lambda db: explaining.requests(db, deliveries))

    async def circumstances(self, number: int) -> queries.Row:
        return await self._db.read(lambda db: explaining.circumstances(db, number))

    async def cause(self, delivery: int) -> tuple[int | None, int | None]:
        return await self._db.read(lambda db: explaining.cause(db, delivery))

    async def gone(self, word: str) -> bool:
        return await self._db.read(lambda db: explaining.gone(db, word))

    async def kept(self, number: int) -> StoredMessage | None:
        return await self._db.read(lambda db: replaying.kept(db, number))

    async def acting(self, chat: str) -> str | None:
        return await self._db.read(lambda db: explaining.acting(db, chat))

    async def body(self, number: int) -> Damaged | None:
        return await self._db.read(lambda db: ingest.one_damaged(db, number))

    async def had_body(self, number: int) -> bool:
        return await self._db.read(lambda db: ingest.was_damaged(db, number))

    async def unmet(self, anybody: Sequence[str], accounts: Sequence[str]) -> tuple[set[str], set[str]]:
        return await self._db.read(lambda db: acquaintances.unmet(db, anybody, accounts))

    async def acquaintances(self) -> dict[str, str]:
        return await self._db.read(acquaintances.known)

    async def deliveries(
        self,
        *,
        states: Sequence[str] = (),
        chats: Sequence[str] = (),
        message: int | None = None,
        occasion: int | None = None,
        limit: int = 50,
    ) -> list[queries.Row]:
        return await self._db.read(
            lambda db: queries.deliveries(db, states, chats, limit, message=message, occasion=occasion)
        )

    async def counts(self) -> queries.Row:
        return await self._db.read(queries.counts)

    async def figures(self) -> Figures:
        now = self._clock.now()
        return await self._db.read(lambda db: figures.figures(db, now))

    async def counters(self) -> dict[str, int]:
        return await self._db.read(queries.counters)

    async def span(self, wanted: Wanted) -> Span:
        return await self._db.read(lambda db: replaying.span(db, wanted))

    async def stretch(
        self, wanted: Wanted, span: Span, after: int, limit: int
    ) -> tuple[list[StoredMessage], int]:
        return await self._db.read(lambda db: replaying.stretch(db, wanted, span, after, limit))

    async def decided(self, messages: Sequence[int]) -> dict[int, list[NewDelivery]]:
        return await self._db.read(lambda db: replaying.decided(db, messages))

    async def observed(self) -> list[queries.Row]:
        now = self._clock.now()
        return await self._db.read(lambda db: observing.lately(db, now))

    async def processes(self, stale_before: int) -> list[queries.Row]:
        return await self._db.read(lambda db: queries.processes(db, stale_before))
