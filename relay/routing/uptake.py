"""New files of plugins are taken when they come, and again for as long as the store refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from relay.clock import Clock
from relay.config import Files
from relay.errors import StorageError
from relay.routing.calls import ExhaustedError
from relay.routing.handover import Handover

log = structlog.get_logger("relay.uptake")

WAITS = (500, 1_000, 2_000, 5_000, 10_000)  # ms before files are tried again, the last one for ever


class Uptake:
    """Of one router; it keeps what it could not take until that is taken, or newer files come."""

    def __init__(self, handover: Handover, take: Callable[[Files], Awaitable[None]], clock: Clock) -> None:
        """`take` lets these files run; where it raises, it has changed nothing."""
        self._handover = handover
        self._take = take
        self._clock = clock
        self._due: Files | None = None
        self._refusals = 0
        self._again_at = 0

    async def step(self) -> None:
        """Take what was offered, or what it is time to try again."""
        files = self._handover.taken()
        if files is not None:
            self._due, self._refusals, self._again_at = files, 0, 0
        if self._due is not None and self._clock.steady() >= self._again_at:
            await self._try(self._due)

    async def _try(self, files: Files) -> None:
        try:
            await self._take(files)
        except (StorageError, ExhaustedError) as exc:
            wait = WAITS[min(self._refusals, len(WAITS) - 1)]
            log.warning("swap_put_off", error=str(exc), again_in=wait / 1000)
            self._refusals += 1
            self._again_at = self._clock.steady() + wait
            return
        except Exception:  # a border: whatever it is, the plugins that run go on
            log.exception("swap_failed")
        self._due = None
