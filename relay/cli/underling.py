"""How a process behaves that another one started to run plugins: it keeps stdout clean, and it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator

from relay.cli.complaints import complain
from relay.errors import RelayError

LONGEST = 30  # seconds, should whoever started it be gone


@contextlib.contextmanager
def ending_at_once() -> Iterator[None]:
    """After the block, or after what it could not do, the process is gone; and in any case after a while.

    Threads and tasks that plugins left behind are not waited for.
    """
    signal.alarm(LONGEST)  # the kernel's doing: no loop of a plugin's is too busy for it
    code = 1
    try:
        yield
        code = 0
    except RelayError as exc:
        code = complain(exc, json=True, environ=os.environ)
    finally:
        sys.stdout.flush()
        os._exit(code)


@contextlib.contextmanager
def own_stdout() -> Iterator[None]:
    """Keep stdout for the answer: what plugins print, and the programs that they start, goes to stderr."""
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
