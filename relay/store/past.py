"""What is kept of the past, and what of it may go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

Place = tuple[int | str, ...]
"""Where a walk through what is kept has come to."""


class Kept(StrEnum):
    """What is kept for a time."""

    MESSAGES = "messages"  #: with their traces, deliveries and attempts
    OCCASIONS = "occasions"  #: what plugins handled beside messages, with traces, deliveries and attempts
    EVENTS = "events"  #: callbacks that were no messages
    DAMAGED = "damaged"  #: bodies that could not be read
    SOURCES = "sources"  #: by which a copy at another account is known
    SEEN = "seen"  #: ids, by which a repeated push is known


LASTING = frozenset({Kept.SOURCES, Kept.SEEN})
"""What is remembered for longer, so that nothing is acted on twice."""


@dataclass(frozen=True, slots=True)
class Outdated:
    """Those that may go, and where to look on; `after` is None where nothing further on is old."""

    keys: Sequence[Place]
    after: Place | None


@dataclass(frozen=True, slots=True)
class Removal:
    """How many went in so many seconds; `left` where more belongs to them than goes at once."""

    count: int
    left: bool
    seconds: float
