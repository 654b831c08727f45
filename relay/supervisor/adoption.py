"""Processes whose parent is gone become the supervisor's own, so that it can hear of their end.

Linux alone has this (prctl(2), PR_SET_CHILD_SUBREAPER).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Collection
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


def adopt() -> bool:
    """Adopt orphans among our descendants from now on; False where the system knows no such thing."""
    if not sys.platform.startswith("linux"):
        return False
    return bool(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def bury_others(ours: Collection[int]) -> None:
    """Let go of adopted processes that have ended, and that nobody waits for: what plugins left behind."""
    with contextlib.suppress(OSError):
        for pid in _children():
            if pid not in ours:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)


def _children() -> list[int]:
    tasks = Path("/proc/self/task").iterdir()
    return [int(each) for task in tasks for each in (task / "children").read_text("ascii").split()]
