"""How far the platform's clock is ahead of ours, by the dates of its answers."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from relay.clock import CLOCKS_DIFFER, Clock

WHOLE = 1_000  # ms: a date is cut to whole seconds


class PlatformClock:
    """What is heard of it; as long as both agree, or nothing is known, they count as one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead_of_steady: int | None = None  #: so that it holds however ours is set
        self._agreed_at: int | None = None  #: how far ours was ahead of the steady one then

    def heard(self, date: str, asked_at: int) -> None:
        """An answer bore this date, to what was asked at `asked_at` by the steady clock."""
        try:
            told = round(parsedate_to_datetime(date).timestamp() * 1000)
        except (ValueError, OverflowError, TypeError):
            return
        now, steady = self._clock.now(), self._clock.steady()
        earliest = told - (now - steady + asked_at)
        agrees = told - now <= CLOCKS_DIFFER and earliest + WHOLE >= -CLOCKS_DIFFER
        self._agreed_at = now - steady if agrees else None
        self._ahead_of_steady = told - steady

    def ahead(self) -> int:
        """Milliseconds, negative where it is behind; 0 where they differ by no more than clocks do."""
        ours = self._clock.now() - self._clock.steady()
        if self._ahead_of_steady is None or self._agreed_at == ours:
            return 0
        ahead = self._ahead_of_steady - ours
        return ahead if abs(ahead) > CLOCKS_DIFFER else 0

    def now(self) -> int | None:
        """What it shows; None where no answer has told."""
        return None if self._ahead_of_steady is None else self._ahead_of_steady + self._clock.steady()
