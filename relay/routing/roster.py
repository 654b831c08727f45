"""The plugins in their order, as they are at one moment: whoever has begun with them ends with them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from relay.routing.loader import Loaded


class Roster:
    """Stands for one moment; `left` tells when nobody runs through it any more."""

    __slots__ = ("_before", "_idle", "_in_hand", "plugins")

    def __init__(self, plugins: Sequence[Loaded], before: Roster | None = None) -> None:
        self._before = before
        self.plugins = tuple(plugins)
        self._in_hand = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def enter(self) -> Roster:
        """Somebody begins."""
        if not self._in_hand:
            self._idle.clear()
        self._in_hand += 1
        return self

    def leave(self) -> None:
        """Somebody has ended."""
        self._in_hand -= 1
        if not self._in_hand:
            self._idle.set()

    async def left(self) -> None:
        """Return once nobody is in it, or in one before it."""
        if self._before is not None:
            await self._before.left()
            self._before = None
        await self._idle.wait()
