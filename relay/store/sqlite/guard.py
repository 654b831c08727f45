"""What may be acted on at all: nothing of our own, and each source message once (contract 4.2 and 4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import apsw

from relay.store.sqlite import ask
from relay.store.values import Identified
from relay.wire.content import content_of

_NEW = """
SELECT id, account, wx_svrid, chat, chat_type, sender, type, time,
       api_send_id || api_send_svrid, raw, received_at
FROM messages INDEXED BY messages_new WHERE state = 'waiting' AND own IS NULL ORDER BY id LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class _Candidate:
    id: int
    account: str
    wx_svrid: str
    chat: str
    chat_type: str
    sender: str
    type: str
    time: int
    api_send: str
    raw: bytes
    received_at: int

    @property
    def scope(self) -> str:
        """Within what copies are looked for: a room has many ears, a private chat one."""
        return self.chat if self.chat_type == "room" else f"{self.account} {self.chat}"

    def fingerprint(self) -> bytes:
        said = "\0".join((self.chat, self.sender, str(self.time), self.type, ""))
        return blake2b(said.encode() + content_of(self.raw), digest_size=16).digest()


def anything_new(connection: apsw.Connection) -> bool:
    """Whether there is a message that nobody has looked at."""
    return bool(ask.every(connection, _NEW, (1,)))


def identify(
    connection: apsw.Connection, limit: int, now: int, remember: int
) -> tuple[list[Identified], int]:
    """Judge the oldest new messages; return those that wait for the plugins, and how many were looked at.

    `remember` is in milliseconds: older messages may have been acted on before ids were forgotten.
    """
    ours = {row[0] for row in ask.every(connection, "SELECT wxid FROM accounts")}
    new = [_Candidate(*row) for row in ask.every(connection, _NEW, (limit,))]
    judged = [(each, _judge(connection, each, ours, now - remember)) for each in new]
    waiting = [
        Identified(each.id, each.account, each.chat, each.chat_type, source, each.received_at)
        for each, source in judged
        if source is not None
    ]
    return waiting, len(new)


def _judge(connection: apsw.Connection, new: _Candidate, ours: set[str], oldest: int) -> int | None:
    """The source that a message is to be routed for, or None when it is skipped."""
    if new.sender in ours or new.api_send:
        _skip(connection, new, reason="own", own=True)
        return None
    if not (new.chat and new.account and new.sender):  # without a sender it might be our own
        _skip(connection, new, reason="it does not say who, where, or to which account")
        return None
    if new.time and new.time < oldest:
        _skip(connection, new, reason="older than storage.remember")
        return None
    source, acted = _source(connection, new)
    connection.execute("UPDATE messages SET own = 0, source = ? WHERE id = ?", (source, new.id))
    if acted is not None:
        _skip(connection, new, reason=f"copy of m{acted}")
        return None
    return source


def _skip(connection: apsw.Connection, new: _Candidate, *, reason: str, own: bool = False) -> None:
    connection.execute(
        "UPDATE messages SET state = 'skipped', own = ?, reason = ? WHERE id = ?", (own, reason, new.id)
    )


def _source(connection: apsw.Connection, new: _Candidate) -> tuple[int, int | None]:
    """The source that this is a copy of, made now if it is the first, and by what it was acted on."""
    known = _by_wx_svrid(connection, new) or _by_count(connection, new)
    if known is None:
        connection.execute(
            "INSERT INTO sources (scope, wx_svrid, at) VALUES (?, ?, ?)",
            (new.scope, new.wx_svrid or None, new.received_at),
        )
        known = (connection.last_insert_rowid(), None)
    if new.chat_type == "room":
        _record_copy(connection, new, known[0])
        connection.execute(  # the first of ours that is heard in a room acts there
            "INSERT OR IGNORE INTO rooms VALUES (?, ?, ?)", (new.chat, new.account, new.received_at)
        )
    return known


def _by_wx_svrid(connection: apsw.Connection, new: _Candidate) -> tuple[int, int | None] | None:
    if not new.wx_svrid:
        return None
    return ask.first(
        connection,
        "SELECT id, acted FROM sources WHERE scope = ? AND wx_svrid = ?",
        (new.scope, new.wx_svrid),
    )


def _by_count(connection: apsw.Connection, new: _Candidate) -> tuple[int, int | None] | None:
    """The k-th copy at one account is the k-th at another, unless WeCom's own ids say otherwise."""
    if new.chat_type != "room":
        return None
    row = ask.first(
        connection,
        """
        SELECT sources.id, sources.acted, sources.wx_svrid
        FROM copies JOIN sources ON sources.id = copies.source
        WHERE fingerprint = ?1 AND account <> ?2
          AND k = (SELECT count(*) FROM copies WHERE fingerprint = ?1 AND account = ?2)
        LIMIT 1
        """,
        (new.fingerprint(), new.account),
    )
    if row is None or (new.wx_svrid and row[2]):
        return None
    if new.wx_svrid:
        connection.execute("UPDATE sources SET wx_svrid = ? WHERE id = ?", (new.wx_svrid, row[0]))
    return row[0], row[1]


def _record_copy(connection: apsw.Connection, new: _Candidate, source: int) -> None:
    connection.execute(
        """
        INSERT INTO copies (fingerprint, account, k, source)
        VALUES (?1, ?2, (SELECT count(*) FROM copies WHERE fingerprint = ?1 AND account = ?2), ?3)
        """,
        (new.fingerprint(), new.account, source),
    )
