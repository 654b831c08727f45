"""Takes one guard out of every process that finds this on its path: RELAY_UNGUARDED names it.

Python imports a module of this name as it starts, so that the processes of a bot need no other change.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from typing import Any

from relay.receiving import intake
from relay.sending import client, gaps, lanes
from relay.sending.attempts import NoAnswer
from relay.store import journal as journals
from relay.store.sqlite import SqliteStore, connection, guard, ingest, routing, sending, transactions
from relay.supervisor import pulse


async def _fetch_nothing(self: gaps.Gaps, repair: Any) -> bool:
    await self._store.repaired(repair)
    return True


def unknown() -> None:
    """What was on its way when the sender ended goes out again at once."""
    guarded = sending.begin

    def begin(connection: Any, resolve_within: int, now: int) -> int:
        connection.execute("UPDATE deliveries SET state = 'queued' WHERE state = 'sending'")
        return guarded(connection, resolve_within, now)

    sending.begin = begin


def journal() -> None:
    """Nobody reads what a receiver left, nor asks the platform for it."""

    intake.left_in = lambda *_: []  # type: ignore[attr-defined]
    gaps.Gaps._fetch = _fetch_nothing  # type: ignore[method-assign]


def line() -> None:
    """What is behind an unknown outcome does not wait for it."""

    def ready(line: Any, now: int) -> Any:
        return [sending._delivery(row) for row in line if row[5] == "queued"][:1]

    sending._LINES = sending._LINES.replace("LIMIT ?2)", "LIMIT ?2 + 9)")
    sending._ready = ready


def pace() -> None:
    """An account sends as fast as it can."""
    lanes.Lane.room = lambda self, now: 1_000  # type: ignore[method-assign]


def outcome() -> None:
    """What was on its way when the sender ended has failed, and nobody asks what became of it."""
    guarded = sending.begin

    def begin(connection: Any, resolve_within: int, now: int) -> int:
        connection.execute("UPDATE deliveries SET state = 'failed', error = 'ended' WHERE state = 'sending'")
        return guarded(connection, resolve_within, now)

    sending.begin = begin
    gaps.Gaps._fetch = _fetch_nothing  # type: ignore[method-assign]


def together() -> None:
    """A message is done with before what it leads to is on record: that comes with the next one."""
    guarded = routing.queue
    last: list[Any] = []

    def queue(connection: Any, causes: Any) -> None:
        guarded(connection, last)
        last[:] = causes

    routing.queue = queue


def own() -> None:
    """Some of what the bot says itself is anybody's word to it; all of it would go round for ever."""
    refuse, attach, identified = guard._refusal_of_own, guard._attach, guard._identified
    left = [3]

    def refusal(connection: Any, new: Any, include_own: bool) -> str | None:
        reason = refuse(connection, new, include_own)
        if reason is None or not left[0]:
            return reason
        left[0] -= 1
        return None

    guard._refusal_of_own = refusal
    guard._attach = lambda connection, new, *, own: attach(connection, new, own=False)
    guard._identified = lambda new, source, *, own: identified(new, source, own=False)


def synchronous() -> None:
    """What the database commits is left to the kernel; little of it is in the journal still."""
    for each in (SqliteStore, connection.Database):
        defaults: Any = each.__init__.__kwdefaults__
        defaults["synchronous"] = "NORMAL"
    guarded = connection.Database._migrate

    def migrate(self: connection.Database) -> None:
        guarded(self)
        self._connection.wal_autocheckpoint(transactions.LONG_LOG)

    connection.Database._migrate = migrate  # type: ignore[method-assign]
    journals.ANEW = 64 * 1024


def synced_journal() -> None:
    """What the journal writes is left to the kernel."""
    object.__setattr__(journals.DISK, "sync", lambda _: None)


def ids() -> None:
    """Whatever is pushed is new."""
    source = guard._source
    guard._source = lambda connection, new: source(connection, new._replace(wx_svrid=""))
    ingest._note_as_seen = lambda *_: set()


def once() -> None:
    """A request whose connection was lost is made again at once, as libraries like to."""
    guarded = client.HttpTransport.request

    async def request(self: client.HttpTransport, *asked: Any, **more: Any) -> Any:
        answer = await guarded(self, *asked, **more)
        lost = isinstance(answer, NoAnswer) and answer.sent and not answer.error.startswith("no answer")
        return await guarded(self, *asked, **more) if lost else answer

    client.HttpTransport.request = request  # type: ignore[method-assign]


def alone() -> None:
    """Two may have one role, and nobody asks whether another has come since."""

    class Everybody(int):
        def __ne__(self, other: object) -> bool:
            return False

    epoch = sending._epoch
    sending._epoch = lambda connection: Everybody(epoch(connection))
    fcntl.lockf = lambda *_: None


def heard() -> None:
    """Whoever is silent is taken for alive."""
    hear = pulse.Pulse.hear

    def heard_from(self: pulse.Pulse, now: float) -> bytes:
        said = hear(self, now)
        self.silent = 0.0
        return said

    pulse.Pulse.hear = heard_from  # type: ignore[method-assign]


GUARDS: dict[str, Callable[[], None]] = {
    "alone": alone,
    "heard": heard,
    "unknown": unknown,
    "journal": journal,
    "line": line,
    "pace": pace,
    "ids": ids,
    "once": once,
    "own": own,
    "together": together,
    "outcome": outcome,
    "synchronous": synchronous,
    "synced journal": synced_journal,
}

if "RELAY_UNGUARDED" in os.environ:
    GUARDS[os.environ["RELAY_UNGUARDED"]]()
