"""Rows written by hand, past the store: for what the schema itself refuses."""

from __future__ import annotations

from typing import Any

import apsw

from relay.store.migrate import migrate
from relay.store.states import DeliveryState

LEGAL: dict[DeliveryState, dict[str, Any]] = {
    DeliveryState.QUEUED: {},
    DeliveryState.SENDING: {},
    DeliveryState.ACCEPTED: {"evidence": "answer", "settle_at": 1},
    DeliveryState.DELIVERED: {"evidence": "silence"},
    DeliveryState.UNKNOWN: {"settle_at": 1},
    DeliveryState.HELD: {"error": "no answer"},
    DeliveryState.FAILED: {"error": "refused"},
    DeliveryState.EXPIRED: {},
    DeliveryState.DISCARDED: {},
}
"""What must stand beside each state, so that nothing but the step itself can be refused."""

NOTHING = {"evidence": None, "settle_at": None, "error": None}


def new_database() -> apsw.Connection:
    """A database in memory with one message and one delivery that was tried once and is queued again."""
    connection = apsw.Connection(":memory:")
    connection.pragma("foreign_keys", True)
    migrate(connection)
    connection.execute(
        "INSERT INTO messages (account, svrid, wx_svrid, chat, chat_type, sender, type, time,"
        " api_send_id, api_send_svrid, raw, received_at)"
        " VALUES ('a', '1', '', 'R:1', 'room', 's', 'text', 0, '', '', x'7b7d', 0)"
    )
    connection.execute(
        "INSERT INTO deliveries (message, plugin, rule, ordinal, kind, account, target, position, attempts,"
        " due_at, expires_at, created_at, updated_at)"
        " VALUES (1, 'p', 'r', 0, 'forward', 'a', 'R:2', 1, 1, 0, 9, 0, 0)"
    )
    return connection


def put(connection: apsw.Connection, state: str, **columns: Any) -> None:
    """Update the delivery; `apsw.ConstraintError` where the schema refuses."""
    values = {**NOTHING, **LEGAL.get(DeliveryState(state), {}), **columns}
    assigned = ", ".join(f"{name} = ?" for name in values)
    connection.execute(f"UPDATE deliveries SET state = ?, {assigned}", (state, *values.values()))


def force(connection: apsw.Connection, state: str) -> None:
    """Put the delivery into a state, whatever the steps say."""
    trigger = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'deliveries_step'").fetchall()
    connection.execute("DROP TRIGGER deliveries_step")
    put(connection, state)
    connection.execute(str(trigger[0][0]))
