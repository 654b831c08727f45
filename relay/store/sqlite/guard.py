"""What may be acted on at all: nothing of our own, and each source message once (contract 4.2 and 4.3)."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

import apsw

from relay.clock import CLOCKS_DIFFER
from relay.store.sqlite import ask
from relay.store.sqlite.ask import PLATFORM_AHEAD
from relay.store.values import Identified
from relay.wire.content import content_of, same_content

# What the log told was said long before it was fetched, and its attempt was begun before that.
_NEW = f"""
SELECT id, account, wx_svrid, chat, chat_type, sender, type, time,
       api_send_id || api_send_svrid, raw, received_at,
       CASE late WHEN 1 THEN min(time - {PLATFORM_AHEAD}, received_at) ELSE received_at END
FROM messages INDEXED BY messages_new WHERE state = 'waiting' AND own IS NULL ORDER BY id LIMIT ?
"""
_AS_NEW = _NEW.replace(
    "INDEXED BY messages_new WHERE state = 'waiting' AND own IS NULL ORDER BY id LIMIT ?", "WHERE id = ?"
)


class _Candidate(NamedTuple):
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
    said_at: int  #: as far as echoes go

    @property
    def scope(self) -> str:
        """Within what copies are looked for: a room has many ears, a private chat one."""
        return self.chat if self.chat_type == "room" else f"{self.account} {self.chat}"

    def fingerprint(self) -> bytes:
        said = "\0".join((self.chat, self.sender, str(self.time), self.type, ""))
        return blake2b(said.encode() + content_of(self.raw), digest_size=16).digest()


_HEARD_AT_LAST = """
UPDATE deliveries SET entry = ?
WHERE message = ? AND account = ? AND kind = 'forward' AND entry IS NULL
"""
# Until its echo has come, whatever we sent may still come back, and an echo may come twice. Only
# what never left cannot: a refusal may be mistaken.
_MAY_COME_BACK = """
SELECT m.raw, d.body, a.echo IS :id OR (a.echo IS NULL AND a.started_at >= :expected)
FROM attempts a {index} JOIN deliveries d ON d.id = a.delivery LEFT JOIN messages m ON m.id = d.entry
WHERE a.account = :account AND a.started_at >= {since} AND d.target = :chat AND a.outcome IS NOT 'not_sent'
"""
_MAY_BE_ECHO = (
    _MAY_COME_BACK.format(index="INDEXED BY attempts_awaited", since=":possible AND a.echo IS NULL")
    + " UNION ALL "
    + _MAY_COME_BACK.format(
        index="INDEXED BY attempts_pace", since=":again AND a.started_at <= :until AND a.echo IS NOT NULL"
    )
)
ECHO_EXPECTED = 60_000  # ms in which an own message may be the echo of anything that has none yet
ECHO_POSSIBLE = 86_400_000  # ms in which the same content may be the echo of what has none yet
ECHO_AGAIN = 600_000  # ms in which the same content may be an echo that came before


def anything_new(connection: apsw.Connection) -> bool:
    """Whether there is a message that nobody has looked at."""
    return bool(ask.every(connection, _NEW, (1,)))


def identify(
    connection: apsw.Connection, limit: int, now: int, remember: int, *, include_own: bool = False
) -> tuple[list[Identified], int]:
    """Judge the oldest new messages; return those for the plugins, and how many were looked at.

    `remember` is in milliseconds: older messages may have been acted on before ids were forgotten. With
    `include_own`, what staff typed on our accounts' phones waits too; never what may be an echo.
    """
    ours = {row[0] for row in ask.every(connection, "SELECT wxid FROM accounts")}
    new = [_Candidate._make(row) for row in ask.every(connection, _NEW, (limit,))]
    judged = [(each, _judge(connection, each, ours, now - remember, include_own)) for each in new]
    waiting = [
        _identified(each, source, own=each.sender in ours) for each, source in judged if source is not None
    ]
    return waiting, len(new)


def _judge(
    connection: apsw.Connection, new: _Candidate, ours: set[str], oldest: int, include_own: bool
) -> int | None:
    """The source that a message is to be routed for, or None when it is skipped."""
    own = new.sender in ours or bool(new.api_send)
    if own and (reason := _refusal_of_own(connection, new, include_own)) is not None:
        _skip(connection, new, reason=reason, own=True)
        if include_own and not new.api_send:
            _attach(connection, new, own=True)  # this account may be the one that is to forward it
        return None
    if not (new.chat and new.account and new.sender):  # without a sender it might be our own
        _skip(connection, new, reason="it does not say who, where, or to which account")
        return None
    if new.time and new.time < oldest:
        _skip(connection, new, reason="older than storage.remember")
        return None
    source, acted = _attach(connection, new, own=own)
    if acted is not None:
        _skip(connection, new, reason=f"copy of m{acted}", own=own)
        return None
    return source


def _attach(connection: apsw.Connection, new: _Candidate, *, own: bool) -> tuple[int, int | None]:
    """Say of what source this is a copy; a forward that waits for it to be heard here can go out."""
    source, acted = _source(connection, new)
    connection.execute("UPDATE messages SET own = ?, source = ? WHERE id = ?", (own, source, new.id))
    if acted is not None:
        connection.execute(_HEARD_AT_LAST, (new.id, acted, new.account))
    return source, acted


def _identified(new: _Candidate, source: int, *, own: bool) -> Identified:
    return Identified(new.id, new.account, new.chat, new.chat_type, source, new.received_at, own=own)


def _refusal_of_own(connection: apsw.Connection, new: _Candidate, include_own: bool) -> str | None:
    """Why an own message goes to no handler; None for what staff typed on the phone, where that is wanted."""
    if not include_own or new.api_send:
        return "own"
    if new.sender != new.account:
        return "own, and heard by another of our accounts"
    return "own, and may be an echo" if _may_be_echo(connection, new) else None


def staff_typed(connection: apsw.Connection, message: int) -> bool:
    """Whether nothing that we sent can have come back in a message of ours that was skipped."""
    row = ask.first(connection, _AS_NEW, (message,))
    return row is not None and not _may_be_echo(connection, _Candidate._make(row))


def _may_be_echo(connection: apsw.Connection, new: _Candidate) -> bool:
    """Rather one message of staff too few than a loop: a delivery without an echo may have any content."""
    asked = {
        "id": new.id,
        "account": new.account,
        "chat": new.chat,
        "expected": new.said_at - ECHO_EXPECTED,
        "possible": new.said_at - ECHO_POSSIBLE,
        "again": new.said_at - ECHO_AGAIN,
        "until": new.said_at + 2 * CLOCKS_DIFFER,
    }
    said = content_of(new.raw)
    return any(
        awaited or not (sent := content_of(entry or body)) or same_content(sent, said)
        for entry, body, awaited in ask.every(connection, _MAY_BE_ECHO, asked)
    )


def _skip(connection: apsw.Connection, new: _Candidate, *, reason: str, own: bool = False) -> None:
    connection.execute(
        "UPDATE messages SET state = 'skipped', own = ?, reason = ? WHERE id = ?", (own, reason, new.id)
    )


def _source(connection: apsw.Connection, new: _Candidate) -> tuple[int, int | None]:
    """The source that this is a copy of, made now if it is the first, and by what it was acted on."""
    fingerprint = new.fingerprint() if new.chat_type == "room" else b""
    known = _by_wx_svrid(connection, new) or _by_count(connection, new, fingerprint)
    if known is None:
        connection.execute(
            "INSERT INTO sources (scope, wx_svrid, at) VALUES (?, ?, ?)",
            (new.scope, new.wx_svrid or None, new.received_at),
        )
        known = (connection.last_insert_rowid(), None)
    if new.chat_type == "room":
        _record_copy(connection, new, known[0], fingerprint)
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


def _by_count(
    connection: apsw.Connection, new: _Candidate, fingerprint: bytes
) -> tuple[int, int | None] | None:
    """The k-th copy at one account is the k-th at another, unless WeCom's own ids say otherwise."""
    if new.chat_type != "room":
        return None
    copies = ask.every(
        connection, "SELECT account, k, source FROM copies WHERE fingerprint = ?", (fingerprint,)
    )
    if not copies:
        return None
    own = max((k + 1 for account, k, _ in copies if account == new.account), default=0)
    source = next((s for account, k, s in copies if account != new.account and k == own), None)
    row = ask.first(connection, "SELECT id, acted, wx_svrid FROM sources WHERE id = ?", (source,))
    if row is None or (new.wx_svrid and row[2]):
        return None
    if new.wx_svrid:
        connection.execute("UPDATE sources SET wx_svrid = ? WHERE id = ?", (new.wx_svrid, row[0]))
    return row[0], row[1]


def _record_copy(connection: apsw.Connection, new: _Candidate, source: int, fingerprint: bytes) -> None:
    connection.execute(
        """
        INSERT INTO copies (fingerprint, account, k, source)
        SELECT ?1, ?2, coalesce(max(k) + 1, 0), ?3 FROM copies WHERE fingerprint = ?1 AND account = ?2
        """,
        (fingerprint, new.account, source),
    )
