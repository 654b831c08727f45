"""Keep what a callback brought, before it is answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import blake2b
from typing import TypeVar

import apsw

from relay.store.sqlite import ask
from relay.store.values import Callback, Damaged
from relay.wire.content import content_of
from relay.wire.entries import Entry
from relay.wire.notifications import Reading

T = TypeVar("T")

MESSAGE = "chatMsg"
FAILURE = "chatMsgSendFail"
MOST_EVENT_KINDS = 50  # told apart; the documents name four
DAMAGED_KEPT = 10_000  # bodies kept for diagnosis; the oldest go first
DAMAGED_BYTES = 64 * 1024 * 1024  # of all of them

CHUNKS = (32, 8, 1)  # rows in one statement: each step of one costs more than a row

_EVENT_KINDS = """
SELECT count(*), total(name = ?) FROM counters WHERE name >= 'events_total:' AND name < 'events_total;'
"""
_SEEN = "INSERT INTO seen (account, key, message, at) VALUES {rows} ON CONFLICT DO NOTHING"
_KNOWN_AS = "SELECT message FROM seen WHERE account = ? AND key = ?"
_LAST = "SELECT seq FROM sqlite_sequence WHERE name = 'messages'"
_MESSAGE = """
INSERT INTO messages (id, account, svrid, wx_svrid, chat, chat_type, sender, type, time,
                      api_send_id, api_send_svrid, raw, received_at, signal) VALUES {rows}
"""
_EVENT = """
INSERT INTO events (kind, account, api_send_id, api_send_svrid, raw, received_at, signal)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
# `begins` is how many bytes were ever kept before a row, so what is kept now need not be added up.
_DAMAGED_END = "(SELECT begins + length(body) FROM damaged ORDER BY id DESC LIMIT 1)"
_DAMAGED = f"""
INSERT INTO damaged (reason, body, received_at, begins) VALUES (?, ?, ?, coalesce({_DAMAGED_END}, 0))
"""
_TOO_MUCH_DAMAGED = f"DELETE FROM damaged WHERE begins < {_DAMAGED_END} - ?"
_ONE_DAMAGED = "SELECT id, reason, body, received_at FROM damaged WHERE id = ?"
_LAST_DAMAGED = "SELECT seq FROM sqlite_sequence WHERE name = 'damaged'"
_KEPT_DAMAGED = "SELECT id, reason, body, received_at FROM damaged ORDER BY id DESC LIMIT ?"


def ingest_all(connection: apsw.Connection, callbacks: Sequence[Callback]) -> list[int]:
    """Keep each entry not seen before, and return how many of each callback that were."""
    kept = [0] * len(callbacks)
    messages: list[tuple[int, Entry, int]] = []
    for number, each in enumerate(callbacks):
        if each.accounts:
            add_accounts(connection, each.accounts, "callback", each.at)
        if each.damaged:
            keep_damaged(connection, each.damaged, each.at)
        for entry in each.entries:
            if entry.kind == MESSAGE and entry.raw[:1] == b"{":
                messages.append((number, entry, each.at))
            else:
                _keep_other(connection, entry, each.at)
                kept[number] += 1
    for number in _keep_messages(connection, messages):
        kept[number] += 1
    return kept


def ingest(connection: apsw.Connection, entries: Sequence[Entry], accounts: Sequence[str], now: int) -> int:
    """The same for one callback."""
    return ingest_all(connection, [Callback(entries, accounts, now)])[0]


def _keep_other(connection: apsw.Connection, entry: Entry, now: int) -> None:
    if entry.kind == MESSAGE:  # a message that is no object has no chat, no sender and no content
        keep_damaged(connection, [("entry", entry.raw)], now)
    else:
        _keep_event(connection, entry, now)


def _keep_messages(connection: apsw.Connection, messages: Sequence[tuple[int, Entry, int]]) -> list[int]:
    """Keep those that are new, and return what each of these came with."""
    if not messages:
        return []
    last = ask.value(connection, _LAST) or 0
    keys = [(e.account, dedupe_key(e), last + at, now) for at, (_, e, now) in enumerate(messages, 1)]
    known = _note_as_seen(connection, keys)
    new = [
        (key[2], number, entry, now)
        for key, (number, entry, now) in zip(keys, messages, strict=True)
        if key[2] not in known
    ]
    if known:
        count(connection, "duplicates_total", len(known))
    for chunk in _chunks(new):
        rows = [value for number, _, entry, now in chunk for value in _row(number, entry, now)]
        connection.execute(_insert(_MESSAGE, len(chunk), 14), rows)
    return [number for _, number, _, _ in new]


def _row(number: int, entry: Entry, now: int) -> tuple[object, ...]:
    may_settle = entry.sender == entry.account or bool(entry.api_send_id or entry.api_send_svrid)
    return (
        *(number, entry.account, entry.svrid, entry.wx_svrid, entry.chat, entry.chat_type, entry.sender),
        *(entry.type, entry.time, entry.api_send_id, entry.api_send_svrid, entry.raw, now, may_settle),
    )


def _note_as_seen(connection: apsw.Connection, keys: Sequence[tuple[str, str, int, int]]) -> set[int]:
    """The numbers that were meant for messages seen before; all others are noted."""
    known: set[int] = set()
    for chunk in _chunks(keys):
        connection.execute(_insert(_SEEN, len(chunk), 4), [value for key in chunk for value in key])
        if connection.changes() < len(chunk):
            known.update(
                number
                for account, key, number, _ in chunk
                if ask.value(connection, _KNOWN_AS, (account, key)) != number
            )
    return known


def _chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """All rows, in pieces of a few sizes, so that there are few statements to prepare."""
    at = 0
    for size in CHUNKS:
        while len(rows) - at >= size:
            yield rows[at : at + size]
            at += size


@cache
def _insert(statement: str, rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return statement.format(rows=", ".join([row] * rows))


def _keep_event(connection: apsw.Connection, entry: Entry, now: int) -> None:
    failure = entry.kind == FAILURE
    _count_event(connection, entry.kind)
    connection.execute(
        _EVENT,
        (entry.kind, entry.account, entry.api_send_id, entry.api_send_svrid, entry.raw, now, failure),
    )


def _count_event(connection: apsw.Connection, kind: str) -> None:
    """By its kind, as long as there are not too many: they are words from outside."""
    name = f"events_total:{kind[:40]}"
    (kinds, known) = ask.first(connection, _EVENT_KINDS, (name,)) or (0, 0)
    count(connection, name if known or kinds < MOST_EVENT_KINDS else "events_total:other")


def dedupe_key(entry: Entry) -> str:
    """What tells a push from a repeated one: svrid, else wx_svrid, else a hash (platform-api, section 3)."""
    if entry.svrid:
        return entry.svrid
    if entry.wx_svrid:
        return "wx:" + entry.wx_svrid
    said = (entry.chat, entry.sender, str(entry.time), entry.type)
    return "hash:" + blake2b("\0".join(said).encode() + content_of(entry.raw), digest_size=16).hexdigest()


def keep_damaged(connection: apsw.Connection, parts: Sequence[tuple[str, bytes]], now: int) -> None:
    """Keep what could not be read, each with its reason, and drop the oldest beyond the bounds."""
    for reason, part in parts:
        connection.execute(_DAMAGED, (reason, part[:DAMAGED_BYTES], now))
        count(connection, "damaged_total:" + reason[:40])
    connection.execute("DELETE FROM damaged WHERE id <= (SELECT max(id) FROM damaged) - ?", (DAMAGED_KEPT,))
    connection.execute(_TOO_MUCH_DAMAGED, (DAMAGED_BYTES,))


def damaged(connection: apsw.Connection, limit: int) -> list[Damaged]:
    """What could not be read, newest first."""
    return [Damaged(*row) for row in ask.every(connection, _KEPT_DAMAGED, (limit,))]


def one_damaged(connection: apsw.Connection, number: int) -> Damaged | None:
    """What could not be read under this number, while it is kept."""
    row = ask.first(connection, _ONE_DAMAGED, (number,))
    return None if row is None else Damaged(*row)


def was_damaged(connection: apsw.Connection, number: int) -> bool:
    """Whether anything that could not be read had this number, kept or not."""
    return 0 < number <= (ask.value(connection, _LAST_DAMAGED) or 0)


def take_in(connection: apsw.Connection, number: int, reading: Reading) -> int:
    """Keep what a kept body brought, as received when it was, in its place; how many entries are new."""
    received_at = ask.value(connection, "DELETE FROM damaged WHERE id = ? RETURNING received_at", (number,))
    if received_at is None:  # somebody else was faster
        return 0
    accounts = sorted({entry.account for entry in reading.entries if entry.account})
    parts = [(part.reason, part.part) for part in reading.damaged]
    return ingest_all(connection, [Callback(reading.entries, accounts, received_at, parts)])[0]


def add_accounts(connection: apsw.Connection, wxids: Sequence[str], source: str, now: int) -> None:
    """Remember accounts as ours, for good."""
    connection.executemany(
        "INSERT OR IGNORE INTO accounts VALUES (?, ?, ?)", [(wxid, source, now) for wxid in wxids if wxid]
    )


def count(connection: apsw.Connection, name: str, times: int = 1) -> None:
    """Add to a counter that outlives the process."""
    connection.execute(
        "INSERT INTO counters VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + ?2",
        (name, times),
    )
