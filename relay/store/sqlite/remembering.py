"""What plugins remember, and what people and chats are called."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from relay.store.sqlite import ask
from relay.store.values import StateChange

LATELY = 2000  # of the newest messages, whose senders are worth a name
FORGET_AT_ONCE = 100  # expired values removed in one go, so that no transaction is long

# What is added counts whatever was added meanwhile; a number whose time is over begins anew.
_ADD = """
INSERT INTO plugin_state VALUES (?1, ?2, CAST(?3 AS TEXT), ?4, ?5) ON CONFLICT DO UPDATE SET
  value = CAST(?3 + iif(expires_at <= ?5, 0, CAST(value AS INTEGER)) AS TEXT),
  expires_at = excluded.expires_at, set_at = excluded.set_at
"""


def state(connection: apsw.Connection, plugin: str, key: str) -> tuple[str, int | None] | None:
    """A remembered value as JSON and until when it counts, or None."""
    found = ask.first(
        connection, "SELECT value, expires_at FROM plugin_state WHERE plugin = ? AND key = ?", (plugin, key)
    )
    return None if found is None else (found[0], found[1])


def write_state(connection: apsw.Connection, changes: Sequence[StateChange], now: int) -> None:
    """Store what is to be remembered, and drop some of what has expired."""
    for change in changes:
        if change.by is not None:
            connection.execute(_ADD, (change.plugin, change.key, change.by, change.expires_at, now))
        elif change.value is None:
            connection.execute(
                "DELETE FROM plugin_state WHERE plugin = ? AND key = ?", (change.plugin, change.key)
            )
        else:
            connection.execute(
                "INSERT OR REPLACE INTO plugin_state VALUES (?, ?, ?, ?, ?)",
                (change.plugin, change.key, change.value, change.expires_at, now),
            )
    if changes:
        connection.execute(
            """
            DELETE FROM plugin_state WHERE (plugin, key) IN (
              SELECT plugin, key FROM plugin_state WHERE expires_at <= ? LIMIT ?)
            """,
            (now, FORGET_AT_ONCE),
        )


def names(connection: apsw.Connection, wxids: Sequence[str]) -> dict[str, str]:
    """The names that are known, of those asked for."""
    places = ", ".join("?" * len(wxids))
    found = ask.every(
        connection, f"SELECT wxid, name FROM names WHERE name <> '' AND wxid IN ({places})", wxids
    )
    return dict(found)


def write_names(connection: apsw.Connection, named: Sequence[tuple[str, str]], now: int) -> None:
    """Keep names, and that some have none ("")."""
    connection.executemany(
        "INSERT OR REPLACE INTO names VALUES (?, ?, ?)", [(wxid, name, now) for wxid, name in named if wxid]
    )


def unnamed_rooms(connection: apsw.Connection, stale: int, limit: int) -> list[tuple[str, str]]:
    """Rooms whose name is not known or older than `stale`, each with an account of ours in it."""
    return [
        (row[0], row[1])
        for row in ask.every(
            connection,
            """
            SELECT rooms.chat, rooms.acting FROM rooms LEFT JOIN names ON names.wxid = rooms.chat
            WHERE names.fetched_at IS NULL OR names.fetched_at < ? ORDER BY names.fetched_at LIMIT ?
            """,
            (stale, limit),
        )
    ]


def unnamed_senders(connection: apsw.Connection, stale: int, limit: int) -> list[tuple[str, str, str, str]]:
    """Who spoke lately and has no fresh name: sender, chat, kind of chat, account; newest first."""
    found = ask.every(
        connection,
        """
        SELECT sender, chat, chat_type, account FROM messages
        LEFT JOIN names ON names.wxid = messages.sender
        WHERE messages.id > (SELECT max(id) FROM messages) - ? AND sender <> ''
          AND (names.fetched_at IS NULL OR names.fetched_at < ?)
        GROUP BY sender ORDER BY max(messages.id) DESC LIMIT ?
        """,
        (LATELY, stale, limit),
    )
    return [(row[0], row[1], row[2], row[3]) for row in found]
