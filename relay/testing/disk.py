"""The database under a bench: what is on disk, read and written beside the bot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from relay.store.states import DeliveryState

BUSY = 10_000  # ms

_Q, _S, _A, _D, _U, _H, _F, _E, _X = DeliveryState
STEPS_TO = {
    **{state: (state,) for state in (_S, _E, _X)},
    **{state: (_S, state) for state in (_Q, _A, _F, _U)},
    _D: (_S, _A, _D),
    _H: (_S, _U, _H),
}
"""The way to each state of a delivery that has just been queued."""


class Line(NamedTuple):
    """What a handler or rule said of something that happened."""

    plugin: str
    rule: str
    decision: str
    reason: str


class Place(NamedTuple):
    """The last message and the last other occasion so far."""

    message: int
    occasion: int


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
            "INSERT OR REPLACE INTO plugin_state VALUES (?, ?, ?, NULL, 0)", (plugin, key, text)
        )

    def forget(self, plugin: str, key: str) -> None:
        """Let a plugin remember nothing under that key."""
        self._connection.execute("DELETE FROM plugin_state WHERE plugin = ? AND key = ?", (plugin, key))

    def place(self) -> Place:
        """How far everything is."""
        return Place(
            self._number("SELECT max(id) FROM messages"), self._number("SELECT max(id) FROM occasions")
        )

    def waits(self) -> bool:
        """Whether a message waits for what may come."""
        return self._number("SELECT count(*) FROM messages WHERE state = 'waiting'") > 0

    def lines(self, after: Place) -> list[Line]:
        """The trace of all that came behind a place, and why something was skipped."""
        found = self._connection.execute(
            """
            SELECT '', '', state, reason FROM messages WHERE id > :message AND state <> 'routed'
            UNION ALL
            SELECT plugin, rule, decision, reason FROM traces WHERE message > :message
            UNION ALL
            SELECT plugin, '', state, reason FROM occasions WHERE id > :occasion AND state <> 'handled'
            UNION ALL
            SELECT plugin, rule, decision, reason FROM occasion_traces WHERE occasion > :occasion
            """,
            after._asdict(),
        )
        return [Line(*(str(cell or "") for cell in row)) for row in found]

    def next_due(self) -> int | None:
        """When the next thing happens by itself, in milliseconds since 1970."""
        asked = "SELECT next_at AS at FROM ticks UNION ALL SELECT until FROM conversations"
        return self._number(f"SELECT min(at) FROM ({asked})") or None

    def questions(self, plugin: str) -> list[tuple[str, str, str, int, int, int]]:
        """Which of a plugin's questions wait: account, chat, sender, message, since, until."""
        found = self._connection.execute(
            """
            SELECT account, chat, sender, coalesce(message, 0), since, until FROM conversations
            WHERE plugin = ? ORDER BY id
            """,
            (plugin,),
        )
        return [tuple(row) for row in found]

    def become(self, message: int, plugin: str, state: DeliveryState, reason: str, now: int) -> None:
        """Let the delivery of a message be one of this plugin's, and come to a state.

        Until the last step it stays whose it was, so that nobody is told of those before.
        """
        *before, last = STEPS_TO[state]
        for step in before:
            self._step(message, step, "", now)
        self._connection.execute("UPDATE deliveries SET plugin = ? WHERE message = ?", (plugin, message))
        self._step(message, last, reason, now)

    def _step(self, message: int, state: DeliveryState, reason: str, now: int) -> None:
        unmade = (DeliveryState.QUEUED, DeliveryState.EXPIRED, DeliveryState.DISCARDED)
        taken = (DeliveryState.ACCEPTED, DeliveryState.DELIVERED)
        settles = (DeliveryState.ACCEPTED, DeliveryState.UNKNOWN)
        told = reason or ("…" if state in (DeliveryState.FAILED, DeliveryState.HELD) else None)
        self._connection.execute(
            """
            UPDATE deliveries SET state = ?, error = ?, updated_at = ?, attempts = max(attempts, ?),
              evidence = ?, settle_at = ? WHERE message = ?
            """,
            (
                *(state, told, now, state not in unmade),
                *("answer" if state in taken else None, now + 60_000 if state in settles else None, message),
            ),
        )

    def _number(self, asked: str) -> int:
        found = next(iter(self._connection.execute(asked)))[0]
        return int(str(found or 0))
