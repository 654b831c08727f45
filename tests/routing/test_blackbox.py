"""After a death it is known what ran (contract 4.7)."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bots import rule

from relay.routing.blackbox import SLOT, SLOTS, BlackBox, Ending
from relay.routing.suspects import judge
from relay.store.values import Identified


def memory() -> bytearray:
    return bytearray(SLOTS * SLOT.size)


def left(shared: bytearray) -> Ending:
    """What the next process finds, if this one ended here."""
    return BlackBox(bytearray(shared)).ending


@rule
async def test_of_all_that_is_in_hand_only_what_runs_is_on_record() -> None:
    shared = memory()
    box = BlackBox(shared)
    box.take([1, 2, 3])
    found: list[Ending] = []

    async def handler() -> str:
        found.append(left(shared))
        await asyncio.sleep(0)
        found.append(left(shared))
        return "decided"

    waiting = asyncio.create_task(box.steps(2, "slow.handler", asyncio.sleep(60)))
    await asyncio.sleep(0)
    assert await box.steps(1, "bad.handler", handler()) == "decided"
    assert found == [Ending(frozenset({1, 2, 3}), ((1, "bad.handler"),))] * 2
    assert left(shared) == Ending(frozenset({1, 2, 3}))
    waiting.cancel()


@rule
async def test_what_is_thrown_into_a_step_arrives_and_what_it_raises_comes_out() -> None:
    box = BlackBox()
    box.take([1])
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def handler() -> None:
        try:
            await ended
        except KeyError:
            raise LookupError from None

    ended.set_exception(KeyError())
    with pytest.raises(LookupError):
        await box.steps(1, "p.h", handler())


@rule
async def test_a_call_on_record_can_be_cancelled() -> None:
    box = BlackBox()
    box.take([1])
    task = asyncio.create_task(box.steps(1, "p.h", asyncio.sleep(60)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


@rule
async def test_steps_of_what_was_dropped_are_not_put_down_to_who_has_its_slot_now() -> None:
    shared = memory()
    box = BlackBox(shared)
    box.take([1])
    found: list[Ending] = []

    async def outlives() -> None:
        await asyncio.sleep(0)
        found.append(left(shared))

    late = asyncio.create_task(box.steps(1, "late.call", outlives()))
    await asyncio.sleep(0)
    box.drop(1)
    box.take([2])
    await late
    assert [*found, left(shared)] == [Ending(frozenset({2}))] * 2


def test_what_is_dropped_was_not_in_hand_and_its_thread_is_on_no_record() -> None:
    shared = memory()
    box = BlackBox(shared)
    box.take([1])
    with box.running(1, "late.thread"):
        box.drop(1)
        box.take([2])
    assert left(shared) == Ending(frozenset({2}))


def test_what_ran_around_a_block_runs_on_after_it() -> None:
    shared = memory()
    box = BlackBox(shared)
    box.take([1])
    with box.running(1, "outer"):
        with box.running(1, "inner"):
            assert left(shared).what(1) == "inner"
        assert left(shared).what(1) == "outer"


def test_more_than_there_are_slots_for_are_unknown_and_not_wrong() -> None:
    shared = memory()
    box = BlackBox(shared)
    box.take(range(1, SLOTS + 10))
    with box.running(SLOTS + 5, "p.h"):
        assert left(shared).ran == ()
    assert len(left(shared).in_hand) == SLOTS


DIES = """
import os, pathlib, sys
from relay.routing.blackbox import BlackBox
box = BlackBox.beside(pathlib.Path(sys.argv[1]))
box.take([7, 8])
with box.running(8, "bad.handler"):
    os.kill(os.getpid(), 9)
"""


def test_the_record_outlives_a_kill(tmp_path: Path) -> None:
    database = tmp_path / "relay.db"
    done = subprocess.run([sys.executable, "-c", DIES, str(database)], check=False, timeout=30)
    assert done.returncode == -signal.SIGKILL
    assert BlackBox.beside(database).ending == Ending(frozenset({7, 8}), ((8, "bad.handler"),))
    assert BlackBox.beside(database).ending == Ending()
    assert (tmp_path / "relay.db.router").stat().st_mode & 0o777 == 0o600


CLOSES = """
import os, pathlib, sys
from relay.routing.blackbox import BlackBox
box = BlackBox.beside(pathlib.Path(sys.argv[1]))
box.take([7, 8])
with box.running(8, "bad.handler"):
    os.closerange(3, 4096)
    os.pipe()
os._exit(0)
"""


def test_who_closes_every_file_ends_the_process_at_once_and_is_on_record(tmp_path: Path) -> None:
    database = tmp_path / "relay.db"
    done = subprocess.run([sys.executable, "-c", CLOSES, str(database)], check=False, timeout=30)
    assert done.returncode == 1
    assert BlackBox.beside(database).ending == Ending(frozenset({7, 8}), ((8, "bad.handler"),))


# -- judging by it -------------------------------------------------------------


def waits(number: int, attempts: int) -> Identified:
    return Identified(number, "a", f"R:{number}", "room", 1, 0, attempts)


def judged(ending: Ending, **attempts: int) -> Any:
    found = judge([waits(int(name[1:]), count) for name, count in attempts.items()], ending)
    return found.acquitted, tuple(each.id for each in found.condemned), found.suspects


def test_where_it_is_known_what_ran_all_else_is_acquitted() -> None:
    ending = Ending(frozenset({1, 2, 3}), ((2, "p.h"),))
    assert judged(ending, m1=1, m2=1, m3=1, m4=0) == ((1, 3), (), (2,))


def test_where_it_is_not_known_a_first_death_makes_nobody_wait() -> None:
    assert judged(Ending(frozenset({1, 2})), m1=1, m2=2) == ((), (), (2,))


def test_what_was_suspect_before_and_not_in_hand_remains_so() -> None:
    assert judged(Ending(frozenset({2}), ((2, "p.h"),)), m1=1, m2=1) == ((), (), (1, 2))
    assert judged(Ending(), m1=1) == ((), (), (1,))


def test_what_began_last_and_what_died_oftener_is_tried_last() -> None:
    ending = Ending(frozenset({1, 2, 3}), ((3, "p.h"), (1, "p.h")))
    assert judged(ending, m1=1, m2=1, m3=1, m4=2) == ((2,), (), (3, 1, 4))


def test_what_ran_beside_and_began_earlier_waits_for_nobody_else() -> None:
    waiting = [waits(1, 1), waits(2, 1), waits(3, 1), waits(4, 2)]
    ending = Ending(frozenset({1, 2, 3, 4}), ((4, "p.h"), (2, "p.h"), (1, "p.h"), (3, "p.h")))
    found = judge(waiting, ending)
    assert (found.suspects, found.early) == ((2, 1, 3, 4), 2)


def test_three_deaths_condemn_and_an_acquittal_takes_one_back() -> None:
    assert judged(Ending(frozenset({1, 2}), ((1, "p.h"),)), m1=3, m2=3) == ((2,), (1,), (2,))
