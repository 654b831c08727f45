"""Keep what a callback brought, before it is answered."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import apsw

from relay.store.sqlite import ask
from relay.wire.content import content_of
from relay.wire.entries import Entry

MESSAGE = "chatMsg"
FAILURE = "chatMsgSendFail"
DAMAGED_KEPT = 1000  # bodies kept for diagnosis; the oldest go first
DAMAGED_BYTES = 65_536  # of each

_KNOWN = "SELECT 1 FROM seen WHERE account = ? AND key = ?"
_SEEN = "INSERT INTO seen (account, key, message, at) VALUES (?, ?, ?, ?)"
_MESSAGE = """
INSERT INTO messages (account, svrid, wx_svrid, chat, chat_type, sender, type, time,
                      api_send_id, api_send_svrid, raw, received_at, signal)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_EVENT = """
INSERT INTO events (kind, account, api_send_id, api_send_svrid, raw, received_at, signal)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""


def ingest(connection: apsw.Connection, entries: Sequence[Entry], accounts: Sequence[str], now: int) -> int:
    """Keep each entry not seen before, and return how many; `accounts` are ours from now on."""
    add_accounts(connection, accounts, "callback", now)
    return sum(_keep(connection, entry, now) for entry in entries)


def _keep(connection: apsw.Connection, entry: Entry, now: int) -> bool:
    if entry.kind != MESSAGE:
        return _keep_event(connection, entry, now)
    if entry.raw[:1] != b"{":  # a message that is no object has no chat, no sender and no content
        keep_damaged(connection, [("entry", entry.raw)], now)
        return True
    key = dedupe_key(entry)
    if ask.value(connection, _KNOWN, (entry.account, key)) is not None:
        count(connection, "duplicates_total")
        return False
    may_settle = entry.sender == entry.account or bool(entry.api_send_id or entry.api_send_svrid)
    connection.execute(
        _MESSAGE,
        (
            *(entry.account, entry.svrid, entry.wx_svrid, entry.chat, entry.chat_type, entry.sender),
            *(entry.type, entry.time, entry.api_send_id, entry.api_send_svrid, entry.raw, now, may_settle),
        ),
    )
    connection.execute(_SEEN, (entry.account, key, connection.last_insert_rowid(), now))
    return True


def _keep_event(connection: apsw.Connection, entry: Entry, now: int) -> bool:
    failure = entry.kind == FAILURE
    count(connection, "events_total:" + entry.kind[:40])
    connection.execute(
        _EVENT,
        (entry.kind, entry.account, entry.api_send_id, entry.api_send_svrid, entry.raw, now, failure),
    )
    return True


def dedupe_key(entry: Entry) -> str:
    """What tells a push from a repeated one: svrid, else wx_svrid, else a hash (platform-api, section 3)."""
    if entry.svrid:
        return entry.svrid
    if entry.wx_svrid:
        return "wx:" + entry.wx_svrid
    said = (entry.chat, entry.sender, str(entry.time), entry.type)
    return "hash:" + blake2b("\0".join(said).encode() + content_of(entry.raw), digest_size=16).hexdigest()


def keep_damaged(connection: apsw.Connection, parts: Sequence[tuple[str, bytes]], now: int) -> None:
    """Keep what could not be read, each with its reason, and drop the oldest beyond the bound."""
    for reason, part in parts:
        connection.execute(
            "INSERT INTO damaged (reason, body, received_at) VALUES (?, ?, ?)",
            (reason, part[:DAMAGED_BYTES], now),
        )
        count(connection, "damaged_total:" + reason[:40])
    connection.execute("DELETE FROM damaged WHERE id <= (SELECT max(id) FROM damaged) - ?", (DAMAGED_KEPT,))


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
