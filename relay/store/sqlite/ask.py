"""Ask SQLite: the statement is run to its end, so nothing of it is open at the commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import apsw

PLATFORM_AHEAD = "coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'platform_ahead'), 0)"
"""Milliseconds by which the platform's clock is ahead of ours: how its times are compared with ours."""

Bindings = Sequence[Any] | Mapping[str, Any]


def every(connection: apsw.Connection, sql: str, bindings: Bindings = ()) -> list[tuple[Any, ...]]:
    """All rows."""
    return connection.execute(sql, bindings).fetchall()


def first(connection: apsw.Connection, sql: str, bindings: Bindings = ()) -> tuple[Any, ...] | None:
    """The first row, or None."""
    found = connection.execute(sql, bindings).fetchall()
    return found[0] if found else None


def value(connection: apsw.Connection, sql: str, bindings: Bindings = ()) -> Any:  # noqa: ANN401, RUF100 - any column
    """The first column of the first row, or None."""
    found = first(connection, sql, bindings)
    return found[0] if found else None
