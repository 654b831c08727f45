"""Takes one guard out of every process that finds this on its path: RELAY_UNGUARDED names it.

Python imports a module of this name as it starts, so that the processes of a bot need no other change.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from relay import gaps, intake, lanes
from relay.store.sqlite import sending


def unknown() -> None:
    """What was on its way when the sender ended goes out again at once."""
    guarded = sending.begin

    def begin(connection: Any, resolve_within: int, now: int) -> int:
        connection.execute("UPDATE deliveries SET state = 'queued' WHERE state = 'sending'")
        return guarded(connection, resolve_within, now)

    sending.begin = begin


def journal() -> None:
    """Nobody reads what a receiver left, nor asks the platform for it."""

    async def fetch(self: gaps.Gaps, repair: Any) -> bool:
        await self._store.repaired(repair)
        return True

    intake.left_in = lambda *_: []  # type: ignore[attr-defined]
    gaps.Gaps._fetch = fetch  # type: ignore[method-assign]


def line() -> None:
    """What is behind an unknown outcome does not wait for it."""

    def ready(line: Any, now: int) -> Any:
        return [sending._delivery(row) for row in line if row[5] == "queued"][:1]

    sending._LINES = sending._LINES.replace("LIMIT ?2)", "LIMIT ?2 + 9)")
    sending._ready = ready


def pace() -> None:
    """An account sends as fast as it can."""
    lanes.Lane.room = lambda self, now: 1_000  # type: ignore[method-assign]


GUARDS: dict[str, Callable[[], None]] = {"unknown": unknown, "journal": journal, "line": line, "pace": pace}

if "RELAY_UNGUARDED" in os.environ:
    GUARDS[os.environ["RELAY_UNGUARDED"]]()
