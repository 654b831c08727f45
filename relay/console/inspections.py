"""`relay plugins` for the API: in a process of its own, so that no plugin is loaded in the console's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import structlog

from relay.clock import Clock
from relay.console.child import answered, words_for
from relay.store.protocol import Row

log = structlog.get_logger("relay.console")

LIMIT = 20.0  # seconds for all plugins; the command itself gives up earlier
AGAIN = 60_000  # ms after which a plugin that did not load is looked at again: the machine may have been busy
FOR_GOOD = 1 << 62  # ms: a reload replaces the console

Inspect = Callable[[], Awaitable[Sequence[Row]]]
"""Tells what became of the plugins, in the contract's shape."""


class Inspections:
    """Asks when somebody wants to know, once for all who ask meanwhile; what it was told, it keeps.

    Only the first to want to know after a change waits; later ones are told what was found last.
    """

    def __init__(
        self,
        command: Sequence[str],
        clock: Clock,
        limit: float = LIMIT,
        marks: Callable[[], object] = lambda: None,
    ) -> None:
        """`command` prints the plugins as JSON; `marks` is something else once their files are."""
        self._marks = marks
        self._seen: object = None
        self._command = tuple(command)
        self._clock = clock
        self._limit = limit
        self._told: list[Row] | None = None
        self._until = 0
        self._asking: asyncio.Task[None] | None = None

    async def __call__(self) -> Sequence[Row]:
        """Every plugin with its state; none where that cannot be found out."""
        marks = self._marks()
        changed, self._seen = marks != self._seen, marks
        if changed or self._clock.now() >= self._until:
            self._asking = self._asking or asyncio.create_task(self._ask())
            if self._told is None or changed:
                await asyncio.shield(self._asking)  # whoever asked may leave, and others still wait
        return self._told or []

    async def _ask(self) -> None:
        try:
            code, told = await answered(self._command, self._limit)
        except (OSError, TimeoutError) as exc:
            code, told = 1, None
            log.warning("plugins_not_inspected", error=type(exc).__name__)
        self._asking = None
        if not code and isinstance(told, list):
            self._told = told
            failed = any(row["state"] == "failed" for row in told)
            self._until = self._clock.now() + AGAIN if failed else FOR_GOOD


def command(config: Path) -> tuple[str, ...]:
    """`relay plugins` for a bot."""
    return words_for(config, "plugins")
