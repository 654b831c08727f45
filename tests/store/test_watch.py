"""No commit slips by between two looks."""

from __future__ import annotations

import asyncio

import pytest
from bots import rule

from relay.simulator.clockwork import ManualClock
from relay.store.watch import Watch


class Store:
    """Something with a version."""

    def __init__(self) -> None:
        self.number = 0

    def version(self) -> int:
        return self.number


async def watched() -> tuple[Watch, Store, ManualClock]:
    store, clock = Store(), ManualClock()
    watch = Watch(store, clock)
    await clock.drive(watch.wait(1))  # the first look sees whatever was before
    return watch, store, clock


@rule
async def test_a_commit_before_the_wait_ends_it_at_once() -> None:
    watch, store, _ = await watched()
    store.number += 1
    await asyncio.wait_for(watch.wait(60), 1)


@rule
async def test_a_commit_during_the_wait_ends_it() -> None:
    watch, store, clock = await watched()
    waiting = asyncio.create_task(watch.wait(60))
    await clock.advance(0.5)
    assert not waiting.done()
    store.number += 1
    await clock.advance(0.01)
    assert waiting.done()


@pytest.mark.parametrize("when", ["before", "during"])
@rule
async def test_a_nudge_ends_one_wait(when: str) -> None:
    watch, _, clock = await watched()
    if when == "before":
        watch.nudge()
    waiting = asyncio.create_task(watch.wait(60))
    await clock.advance(0)
    if when == "during":
        watch.nudge()
    await clock.advance(0.01)
    assert waiting.done()
    start = clock.now()
    await clock.drive(watch.wait(1))
    assert clock.now() - start == 1000


@rule
async def test_without_anything_it_waits_as_long_as_it_was_told() -> None:
    watch, _, clock = await watched()
    start = clock.now()
    await clock.drive(watch.wait(0.25))
    assert clock.now() - start == 250
