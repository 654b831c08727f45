"""Sets the clock of every process that finds this on its path: RELAY_CLOCK names a file with the offset.

All of them see a change at once, and nobody else does. RELAY_UNHEEDED takes out the guard against it.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path

NANO = 1_000_000_000
_real = time.time_ns


def shared(path: Path) -> mmap.mmap:
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), 8)


def set_clock(offset: mmap.mmap) -> None:
    """Seconds, as a double."""

    def time_ns() -> int:
        return _real() + int(struct.unpack_from("d", offset)[0] * NANO)

    time.time_ns = time_ns
    time.time = lambda: time_ns() / NANO


def heed_nothing() -> None:
    """Nobody notices that the clock was set."""
    from relay.clock import EvenClock, SystemClock
    from relay.store.sqlite import clocks

    EvenClock.now = SystemClock.now  # type: ignore[method-assign]
    SystemClock.heed = lambda self: 0  # type: ignore[method-assign]
    clocks.shift = lambda *_: None


if "RELAY_CLOCK" in os.environ:
    set_clock(shared(Path(os.environ["RELAY_CLOCK"])))
if "RELAY_UNHEEDED" in os.environ:
    heed_nothing()
