"""What an operator may do to a delivery: send it again, or drop it."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from relay.store.sqlite import ask
from relay.store.sqlite.routing import next_position
from relay.store.states import DeliveryState
from relay.store.values import Operated

NOTHING = "x'7b7d'"  # {}: what stands where a content was that is forgotten

_RETRY = f"""
UPDATE deliveries
SET state = 'queued', position = ?2, spent = 0, spoken = 0, doubtful = 0, retry_at = 0, due_at = ?3,
    expires_at = ?3 + ?4, evidence = NULL, error = NULL, updated_at = ?3
WHERE id = ?1 AND state IN ('held', 'failed', 'expired')
  AND coalesce(body, (SELECT raw FROM messages WHERE messages.id = entry)) IS NOT {NOTHING}
"""
_DISCARD = """
UPDATE deliveries SET state = 'discarded', updated_at = ?2
WHERE id = ?1 AND state IN ('held', 'failed', 'expired', 'queued')
"""


def retry(connection: apsw.Connection, ids: Sequence[int], expire_after: int, now: int) -> list[Operated]:
    """Put held, failed and expired deliveries last in line, with attempts and expiry anew."""
    return [
        _operate(connection, each, _RETRY, (next_position(connection), now, expire_after)) for each in ids
    ]


def discard(connection: apsw.Connection, ids: Sequence[int], now: int) -> list[Operated]:
    """Drop deliveries that are held, failed, expired or queued; nothing brings them back."""
    return [_operate(connection, each, _DISCARD, (now,)) for each in ids]


def _operate(connection: apsw.Connection, number: int, sql: str, bindings: Sequence[int]) -> Operated:
    before = ask.value(connection, "SELECT state FROM deliveries WHERE id = ?", (number,))
    if before is None:
        return Operated(number, None, None)
    connection.execute(sql, (number, *bindings))
    after = ask.value(connection, "SELECT state FROM deliveries WHERE id = ?", (number,))
    return Operated(number, DeliveryState(before), DeliveryState(after))
