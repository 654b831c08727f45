"""A receiver's signs of life, and what their absence means, whatever becomes of the clock meanwhile."""

from __future__ import annotations

import apsw

from relay.clock import Clock
from relay.store.sqlite import clocks, gaps


class Ear:
    """What one process knows of its own signs of life."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._noted_at: int | None = None  #: by the steady clock
        self._ahead = 0

    def listens(self, connection: apsw.Connection, pid: int) -> None:
        """It is alive now; a silence before that is a gap."""
        now, set_by = self._clock.now(), clocks.set_since(connection, self._clock)
        if not set_by:
            gaps.mourn(connection, pid, now)
        left_at = gaps.take_left(connection)
        before = gaps.last_listened(connection)
        if before is not None:
            silent = self._silence(now - set_by - before)
            if silent > gaps.DEAF:
                gaps.note(connection, now - silent, now)
            elif silent < -gaps.DEAF:  # started anew with an earlier time: nobody knows how long it was off
                gaps.miss(connection, now - max(-silent, gaps.LONG), now)
            elif left_at is not None:  # however short it was, somebody may have spoken in it
                gaps.note(connection, min(left_at, now), now)
            elif (missing := self._put_forward()) > gaps.DEAF:
                gaps.miss(connection, now - missing, now)
        gaps.live(connection, now)
        gaps.take_in(connection, now)

    def was_noted(self) -> None:
        """It is on record that it lived until now."""
        self._noted_at = self._clock.steady()
        self._ahead = self._clock.now() - self._noted_at

    def _silence(self, as_noted: int) -> int:
        return as_noted if self._noted_at is None else self._clock.steady() - self._noted_at

    def _put_forward(self) -> int:
        """By how much: it may be that the machine stood still, and its steady clock with it."""
        return 0 if self._noted_at is None else self._clock.now() - self._clock.steady() - self._ahead
