"""Questions that wait for the sender's next message: one of each plugin, for each sender in each chat."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from relay.store.occasions import Question
from relay.store.sqlite import ask, gaps
from relay.store.sqlite.ask import PLATFORM_AHEAD
from relay.store.values import Talk

DEAF_FOR_LONG = 600_000
"""ms beyond its time after which a question ends, though its answer may have come and not be read yet."""

_COLUMNS = "id, plugin, ear, chat, sender, account, handler, on_timeout, message, since, until"
_ALL = f"SELECT {_COLUMNS} FROM conversations ORDER BY until, id"
_ONE = f"""
SELECT {_COLUMNS} FROM conversations
WHERE plugin = ? AND chat = ? AND sender = ? AND ear IN ('', ?) ORDER BY ear DESC LIMIT 1
"""
_TALKING = "SELECT plugin, chat, sender FROM conversations"
_HEARD_AT = f"""
SELECT CASE late WHEN 1 THEN min(time - {PLATFORM_AHEAD}, received_at) ELSE received_at END
FROM messages WHERE id = ?
"""
_BEGIN = """
INSERT INTO conversations (plugin, ear, chat, sender, account, handler, on_timeout, message,
                           since, until, set_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_END = """
DELETE FROM conversations WHERE plugin = ?1 AND chat = ?2 AND sender = ?3
  AND (?4 IS NULL OR ear = ?4) AND (?5 IS NULL OR id = ?5)
"""
# What was said in time may be on its way into the inbox or through it, or be fetched once nobody is deaf.
_OVER = """
WITH waiting AS MATERIALIZED (
    SELECT chat, sender, min(received_at) AS heard_at FROM messages INDEXED BY messages_waiting
    WHERE state = 'waiting' GROUP BY chat, sender)
SELECT id FROM conversations c
WHERE until <= :heard AND NOT EXISTS (
    SELECT 1 FROM waiting w WHERE w.chat = c.chat AND w.sender = c.sender AND w.heard_at < c.until)
  AND (until <= :long OR NOT EXISTS (SELECT 1 FROM repairs r WHERE r.chat = c.chat AND r.begins < c.until))
ORDER BY until LIMIT :limit
"""
_OPEN_GAP = "SELECT min(begins) FROM gaps WHERE open = 1"
# Its time was over when somebody asked anew, or looked.
_TIMED_OUT = """
INSERT INTO occasions (kind, plugin, handler, subject, account, chat, sender, message, detail, at)
SELECT 'timeout', plugin, on_timeout, id, account, chat, sender, message,
       json_object('since', since, 'until', until, 'ear', ear), ?2
FROM conversations c WHERE id = ?1 AND on_timeout <> ''
"""


def apply(connection: apsw.Connection, talks: Sequence[Talk], now: int) -> None:
    """Begin and end conversations, in this order."""
    for talk in talks:
        if talk.handler:
            _begin(connection, talk, now)
        else:
            connection.execute(_END, (talk.plugin, talk.chat, talk.sender, talk.ear, talk.only))


def _begin(connection: apsw.Connection, talk: Talk, now: int) -> None:
    """It takes the place of another; of one whose time was over, the time-out is still to be handled."""
    key = (talk.plugin, talk.chat, talk.sender, talk.ear)
    before = ask.first(
        connection,
        "SELECT id, until FROM conversations WHERE plugin = ? AND chat = ? AND sender = ? AND ear = ?",
        key,
    )
    if before is not None:
        if before[1] <= now:
            connection.execute(_TIMED_OUT, (before[0], now))
        connection.execute("DELETE FROM conversations WHERE id = ?", (before[0],))
    since = now + talk.delay
    connection.execute(
        _BEGIN,
        (
            *(talk.plugin, talk.ear, talk.chat, talk.sender, talk.account, talk.handler, talk.on_timeout),
            *(talk.message, since, since + talk.within, now),
        ),
    )


def anything_over(connection: apsw.Connection, now: int) -> bool:
    """Whether a conversation's time is over, and no answer to it is on its way into the inbox."""
    over = "SELECT 1 FROM conversations WHERE until <= ? LIMIT 1"
    return bool(
        ask.every(connection, over, (now,)) and ask.every(connection, over, (_heard(connection, now),))
    )


def time_out(connection: apsw.Connection, now: int, limit: int) -> int:
    """End those whose time is over, and queue the call that follows; how many."""
    over = [row[0] for row in ask.every(connection, _OVER, _times(connection, now, limit))]
    for number in over:
        connection.execute(_TIMED_OUT, (number, now))
        connection.execute("DELETE FROM conversations WHERE id = ?", (number,))
    return len(over)


def _times(connection: apsw.Connection, now: int, limit: int) -> dict[str, int]:
    return {"heard": _heard(connection, now), "long": now - DEAF_FOR_LONG, "limit": limit}


def _heard(connection: apsw.Connection, now: int) -> int:
    """Until when silence tells anything, unless that is long ago."""
    opened = ask.value(connection, _OPEN_GAP)
    known = (now, gaps.deaf_since(connection, now), opened, gaps.all_in_before(connection))
    return max(min(each for each in known if each is not None), now - DEAF_FOR_LONG)


def talking(connection: apsw.Connection) -> list[tuple[str, str, str]]:
    """Plugin, chat and sender of each."""
    return [(row[0], row[1], row[2]) for row in ask.every(connection, _TALKING)]


def question(
    connection: apsw.Connection, plugin: str, chat: str, sender: str, account: str
) -> Question | None:
    """What that plugin asked them there, as far as this account would hear the answer."""
    row = ask.first(connection, _ONE, (plugin, chat, sender, account))
    return None if row is None else Question(*row)


def heard_at(connection: apsw.Connection, message: int) -> int | None:
    """When a message was heard, or said if nobody heard it then."""
    found: int | None = ask.value(connection, _HEARD_AT, (message,))
    return found


def every(connection: apsw.Connection) -> list[Question]:
    """Each of them, those first that end first."""
    return [Question(*row) for row in ask.every(connection, _ALL)]


def cancel(connection: apsw.Connection, ids: Sequence[int]) -> list[int]:
    """End these; those that were there."""
    return [
        number
        for number in ids
        if ask.every(connection, "DELETE FROM conversations WHERE id = ? RETURNING 1", (number,))
    ]
