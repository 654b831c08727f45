"""The store on SQLite passes the behaviour suite.

RELAY_EXAMPLES says in how many orders (900); each run takes others.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest
from faults.parts import parts
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from store.behaviour.calling import Calling
from store.behaviour.coincidences import Coincidences
from store.behaviour.ground import Ground
from store.behaviour.machine import StoreMachine

from relay.simulator.clockwork import ManualClock
from relay.store.sqlite import SqliteStore
from relay.store.sqlite.forgetting import Forgetting

SLOW = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
QUICK = settings(SLOW, stateful_step_count=25, derandomize=True)
LONG = settings(SLOW, stateful_step_count=40, print_blob=True)
EXAMPLES = int(os.environ.get("RELAY_EXAMPLES", "900"))
PART = 150  # of them: about a minute
PARTS = parts(EXAMPLES, PART)


@cache
def _migrated() -> bytes:
    """An empty database: making one takes longer than all that is asked of it in one example."""
    with tempfile.TemporaryDirectory() as folder:
        SqliteStore(Path(folder) / "relay.db", ManualClock()).close()
        return (Path(folder) / "relay.db").read_bytes()


class SqliteGround:
    """A folder with a file for each life; a death leaves the next one what the disk's cache holds."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp())
        self._lives = 0
        self._path.write_bytes(_migrated())

    @property
    def _path(self) -> Path:
        return self._folder / f"{self._lives}.db"

    def open(self, clock: ManualClock) -> SqliteStore:
        # A kill leaves all that was written, so that nothing here need wait for the disk.
        return SqliteStore(self._path, clock, synchronous="OFF", patient=True)

    def crash(self) -> None:
        left = self._path
        self._lives += 1
        shutil.copyfile(left, self._path)
        shutil.copyfile(f"{left}-wal", f"{self._path}-wal")

    def forget(self, wxid: str, now: int) -> None:
        person = Forgetting(self._path, wxid)
        person.forget(now, lambda _: None)
        person.close()

    def clear(self) -> None:
        shutil.rmtree(self._folder)


class SqliteMachine(Coincidences):
    """Everything in any order, on a file."""

    def lay(self) -> Ground:
        return SqliteGround()


class SqliteCalling(Calling):
    """The same with what plugins are called for beside messages."""

    def lay(self) -> Ground:
        return SqliteGround()


@pytest.mark.parametrize(("machine", "examples"), [(SqliteMachine, 20), (SqliteCalling, 10)])
def test_the_store_does_what_the_model_does(machine: type[StoreMachine], examples: int) -> None:
    run_state_machine_as_test(machine, settings=settings(QUICK, max_examples=examples))


@pytest.mark.long
@pytest.mark.parametrize(("part", "examples"), PARTS)
@pytest.mark.parametrize("machine", [SqliteMachine, SqliteCalling])
def test_the_store_does_what_the_model_does_in_many_more_orders(
    machine: type[StoreMachine], part: int, examples: int
) -> None:
    run_state_machine_as_test(machine, settings=settings(LONG, max_examples=examples // 2))
