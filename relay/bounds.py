"""What a process that runs plugins may take of the machine: what is left over, and a bounded memory."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from relay.clock import Clock

NICENESS = 10  # plugins, and the programs that they start, wait for the receiver, never the other way round
LAST = 19  # the niceness of whatever plugins start
LOOK = 0.5  # seconds between two looks for it
KILLED_FIRST = (
    "600"  # where memory runs out, the kernel looks for somebody to end; see proc(5), oom_score_adj
)
SWITCH = 0.0005  # seconds that a busy thread may keep the interpreter from the others
STACK = 4 << 20  # bytes of memory that a thread may take for its calls: they count, used or not


def confine(memory: int) -> None:
    """Bind this process and what it starts; `memory` in bytes, 0 for no limit.

    Memory beyond the limit is a `MemoryError` in whatever asks for it. Linux alone keeps to all of this.
    """
    os.nice(max(0, NICENESS - os.nice(0)))  # its supervisor may have seen to that
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(KILLED_FIRST, "ascii")
    threading.stack_size(STACK)
    sys.setswitchinterval(SWITCH)
    _lower(resource.RLIMIT_CORE, 0)  # what a crash would write down is full of secrets and messages
    if memory:
        _lower(resource.RLIMIT_DATA, memory)


async def outrank(clock: Clock) -> None:
    """Let the programs that plugins start wait for this process, as it waits for the others; never ends."""
    while True:
        for thread in _threads_below(os.getpid()):
            with contextlib.suppress(OSError):  # it has ended
                os.setpriority(os.PRIO_PROCESS, thread, LAST)
        await clock.sleep(LOOK)


def _threads_below(process: int) -> Iterator[int]:
    """Every thread of every process that this one has started, or these; none where there is no /proc."""
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text("ascii").split():
                with contextlib.suppress(OSError):
                    yield from (int(each.name) for each in Path(f"/proc/{child}/task").iterdir())
                yield from _threads_below(int(child))


def _lower(limit: int, most: int) -> None:
    """Set a limit for good, or leave a lower one as it is."""
    hard = resource.getrlimit(limit)[1]
    if hard == resource.RLIM_INFINITY or hard > most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(limit, (most, most))
