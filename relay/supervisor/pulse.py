"""The pipe in which a role shows that it lives, and how long it has been silent."""

from __future__ import annotations

import contextlib
import os

MOST = 0.5  # seconds of silence that one look can find: who was stopped itself, or starved, accuses nobody


class Pulse:
    """One role's; times are monotonic seconds."""

    def __init__(self, now: float) -> None:
        self._ours, self.lent = os.pipe()
        os.set_blocking(self._ours, False)
        self._looked = now
        self.silent = 0.0

    def fileno(self) -> int:
        """What to wait on."""
        return self._ours

    def hear(self, now: float) -> bytes:
        """All that was said since the last look; nothing at all is a silence as long as that is ago."""
        said = b""
        with contextlib.suppress(BlockingIOError):
            said = os.read(self._ours, 65536)
        self.silent = 0.0 if said else self.silent + min(now - self._looked, MOST)
        self._looked = now
        return said

    def hand_over(self) -> None:
        """The other end is the role's alone from now on."""
        os.close(self.lent)

    def close(self) -> None:
        """Nobody is there any more."""
        os.close(self._ours)
