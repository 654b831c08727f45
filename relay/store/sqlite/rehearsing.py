"""A store for rehearsals: the bot's own, to be read only, and over it a copy of what plugins remember."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Never, TypeVar

import apsw

from relay.clock import Clock
from relay.errors import StorageError
from relay.store import texts
from relay.store.migrate import refuse_other_schema
from relay.store.occasions import Handled, Question
from relay.store.sqlite import SqliteStore, ask, conversations, ears, remembering, replaying
from relay.store.sqlite.agenda import Agenda
from relay.store.sqlite.connection import BUSY_TIMEOUT
from relay.store.sqlite.reading import ReadOnlyDatabase, address_of
from relay.store.sqlite.transactions import A, Bulk, Work
from relay.store.values import NewDelivery, Routing, StoredMessage, Talk
from relay.wire.entries import ROOM

T = TypeVar("T")

FOR_AN_ANSWER = 172_800_000  # ms around a message in which it answers, whatever clock told its time
COPIED = ("plugin_state", "conversations")
EMPTY = ("occasions",)  # what a rehearsal would queue there comes to nothing
_SCHEMA = (
    "SELECT sql FROM live.sqlite_schema WHERE sql IS NOT NULL AND tbl_name = ? ORDER BY type = 'table' DESC"
)


class RehearsalDatabase(ReadOnlyDatabase):
    """One connection to a database in memory, in which some tables of a file stand as a copy.

    All the others are the file's own, which SQLite finds behind those in memory; it is never written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
        self._connection = apsw.Connection(":memory:", flags=flags)
        try:
            self._connection.set_busy_timeout(BUSY_TIMEOUT)
            self._connection.execute("ATTACH ? AS live", (address_of(path),))
            refuse_other_schema(int(ask.value(self._connection, "PRAGMA live.user_version")))
            self._copy()
        except apsw.Error as exc:
            self._connection.close()
            raise StorageError(texts.NOT_OPENED.filled(path=path, reason=exc)) from exc
        except StorageError:
            self._connection.close()
            raise

    def _copy(self) -> None:
        for table in (*COPIED, *EMPTY):
            for (sql,) in ask.every(self._connection, _SCHEMA, (table,)):
                self._connection.execute(sql)
        for table in COPIED:
            self._connection.execute(f"INSERT INTO main.{table} SELECT * FROM live.{table}")

    async def write(self, work: Work[T], *, synced: bool = True) -> T:  # type: ignore[override]
        """Run `work` on the copy."""
        return self.glance(work)

    def share(self, bulk: Bulk[A, T], argument: A, *, synced: bool = True) -> Never:
        """Refuse: what is finished in bulk is the live bot's."""
        raise StorageError(texts.READ_ONLY.filled(name=self.path.name))

    def version(self) -> int:
        """A number that differs once the copy was written."""
        return self._connection.total_changes()


class RehearsedStore(SqliteStore):
    """What the bot knows, and what it remembers as far as this rehearsal has come; lost with it."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Raises `StorageError` where the file cannot be read, or is of another version's schema."""
        self._db = RehearsalDatabase(path)
        self._clock = clock
        self._ear = ears.Ear(clock)
        self.occasions = Agenda(self._db, clock)

    async def remember(self, routing: Routing | Handled) -> None:
        """Keep what plugins remember because of a message or an occasion, as the live bot would."""
        if not routing.changes and not routing.talks:
            return
        now = self._clock.now()

        def keep(db: apsw.Connection) -> None:
            remembering.write_state(db, routing.changes, now)
            conversations.apply(db, routing.talks, now)

        await self._db.write(keep)

    async def over(self, moment: int, said: StoredMessage | None = None) -> Question | None:
        """End the next question that waited in vain until this moment; not one that is answered now."""
        heard_at = 0
        if said is not None:
            heard_at = said.received_at if not said.late else await self.occasions.heard_at(said.id) or 0
        return await self._db.write(lambda db: replaying.over(db, moment, said, heard_at))

    async def ask_again(self, answer: StoredMessage, asked: Mapping[str, str]) -> None:
        """Let the questions wait that this message answered, by plugin and function."""
        ear = "" if answer.chat_type == ROOM else answer.account
        at = min(answer.received_at, answer.time)
        talks = [
            Talk(plugin, answer.chat, answer.sender, ear, answer.account, handler, within=FOR_AN_ANSWER)
            for plugin, handler in asked.items()
        ]
        await self._db.write(lambda db: conversations.apply(db, talks, at - FOR_AN_ANSWER // 2))

    async def decided_afterwards(self, messages: Sequence[int]) -> dict[int, list[NewDelivery]]:
        """What was decided once questions that these messages led to had waited in vain."""
        return await self._db.read(lambda db: replaying.decided_afterwards(db, messages))

    async def begin_before(self, moment: int) -> None:
        """Forget what belongs to a time after this: questions that wait, and whatever ends by itself."""
        await self._db.write(lambda db: replaying.forget(db, moment))
