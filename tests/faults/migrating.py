"""Opens a database as every role does, and ends like by kill -9 on the way.

    python -m faults.migrating DATABASE                  prints how long each statement was, in ticks
    python -m faults.migrating DATABASE STATEMENT TICK   dies there
    python -m faults.migrating DATABASE STATEMENT -1     dies some milliseconds after it began

RELAY_UNGUARDED=transaction takes the transaction away.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import apsw

from relay.clock import SystemClock
from relay.store import migrate
from relay.store.sqlite import SqliteStore, connection

TICK = 100  # steps of SQLite's machine
SOON = 0.03  # seconds


def die() -> None:
    """As if killed by another."""
    os.kill(os.getpid(), signal.SIGKILL)


class Steps:
    """Counts what the first connection does, which is the one that migrates."""

    def __init__(self, statement: int, tick: int) -> None:
        self.ticks = [0]  # the first is what comes before any statement
        self._statement = statement
        self._tick = tick

    def follow(self, opened: apsw.Connection) -> None:
        """Follow this connection and none after it."""
        apsw.connection_hooks.remove(self.follow)
        opened.exec_trace = self._begun
        opened.set_progress_handler(self._ticked, TICK)

    def _begun(self, cursor: Any, sql: str, bindings: object) -> bool:
        self.ticks.append(0)
        if len(self.ticks) - 1 == self._statement:
            if self._tick == 0:
                die()
            elif self._tick < 0:
                threading.Timer(random.uniform(0, SOON), die).start()
        return True

    def _ticked(self) -> bool:
        self.ticks[-1] += 1
        if (len(self.ticks) - 1, self.ticks[-1]) == (self._statement, self._tick):
            die()
        return False


def main(database: str, statement: str = "-1", tick: str = "0") -> None:
    if os.environ.get("RELAY_UNGUARDED") == "transaction":
        connection.migrate = migrate._migrate  # type: ignore[attr-defined]
    steps = Steps(int(statement), int(tick))
    apsw.connection_hooks.append(steps.follow)
    store = SqliteStore(Path(database), SystemClock(), patient=True)
    print(json.dumps(steps.ticks))
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
