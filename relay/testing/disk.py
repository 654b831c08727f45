"""The database under a bench: what is on disk, read and written beside the bot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import apsw

BUSY = 10_000  # ms


class Line(NamedTuple):
    """What a handler or rule said of something that happened."""

    plugin: str
    rule: str
    decision: str
    reason: str


class Disk:
    """A connection of its own to the bot's file; what it writes is committed at once."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path))
        self._connection.set_busy_timeout(BUSY)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def remembered(self, plugin: str, now: int) -> dict[str, Any]:
        """All that a plugin remembers by now."""
        found = self._connection.execute(
            """
            SELECT key, value FROM plugin_state
            WHERE plugin = ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY key
            """,
            (plugin, now),
        )
        return {str(key): json.loads(str(value)) for key, value in found}

    def remember(self, plugin: str, key: str, value: object) -> None:
        """Let a plugin remember a value for good; raises TypeError or ValueError for what is not JSON."""
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        self._connection.execute(
            "INSERT OR REPLACE INTO plugin_state VALUES (?, ?, ?, NULL)", (plugin, key, text)
        )

    def forget(self, plugin: str, key: str) -> None:
        """Let a plugin remember nothing under that key."""
        self._connection.execute("DELETE FROM plugin_state WHERE plugin = ? AND key = ?", (plugin, key))

    def place(self) -> int:
        """The last message so far."""
        return self._number("SELECT max(id) FROM messages")

    def waiting(self) -> bool:
        """Whether a message waits for what may come."""
        return self._number("SELECT count(*) FROM messages WHERE state = 'waiting'") > 0

    def lines(self, after: int) -> list[Line]:
        """The trace of all messages behind a place, and why one was skipped."""
        found = self._connection.execute(
            """
            SELECT '', '', state, reason FROM messages WHERE id > :after AND state <> 'routed'
            UNION ALL
            SELECT plugin, rule, decision, reason FROM traces WHERE message > :after
            """,
            {"after": after},
        )
        return [Line(*(str(cell or "") for cell in row)) for row in found]

    def next_due(self) -> int | None:
        """When the next thing happens by itself, in milliseconds since 1970."""
        return None

    def _number(self, asked: str) -> int:
        found = next(iter(self._connection.execute(asked)))[0]
        return int(str(found or 0))
