"""Children that do not outlive who started them, however that one ended."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Annotated

import typer

WithParent = Annotated[
    bool, typer.Option("--with-parent", hidden=True, help="End when the process that started this one does.")
]

LOOK = 0.5  # seconds between two looks


def end_with_parent() -> None:
    """End this process in order, as SIGTERM does, once its parent is gone."""
    threading.Thread(target=_watch, args=(os.getppid(),), name="relay-parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK)
    os.kill(os.getpid(), signal.SIGTERM)
