"""The ledger when it may forget."""

from __future__ import annotations

import pytest
from simulator.bench import ANN, BOT, EAST, WEST, Bench, rule
from simulator.test_pages import next_event

from relay.simulator.ledger import PushState
from relay.simulator.shelf import ForgottenError, Shelf


def test_a_shelf_keeps_the_newest_and_numbers_stay_what_they_are() -> None:
    shelf: Shelf[int] = Shelf(10)
    for number in range(1000):
        shelf.put(number)
    assert 10 <= len(shelf) <= 11
    assert (shelf.total, shelf.numbered(999), shelf.since(995)) == (1000, 999, [995, 996, 997, 998, 999])
    with pytest.raises(ForgottenError):
        shelf.numbered(900)


def test_without_a_limit_everything_is_kept() -> None:
    shelf: Shelf[int] = Shelf()
    assert [shelf.put(number) for number in range(5)] == [[]] * 5
    assert shelf == [0, 1, 2, 3, 4]


@rule
async def test_a_ledger_with_a_limit_stays_small_and_goes_on_working() -> None:
    bench = Bench(keep=10)
    for number in range(100):
        bench.sim.say(EAST, ANN, f"{number}")
    await bench.sim.settle()
    ledger = bench.sim.ledger
    assert all(len(sort) <= 11 for sort in (ledger.messages, ledger.copies, ledger.pushes, ledger.changes))
    assert len(ledger._received) == len(ledger.copies)
    assert len(bench.receiver.entries()) == len({entry["svrid"] for entry in bench.receiver.entries()}) == 100
    assert ledger.pushes[-1].state is PushState.ANSWERED


@rule
async def test_what_is_forgotten_can_no_longer_be_forwarded_and_the_page_can_do_without() -> None:
    bench = Bench(keep=10)
    bench.sim.say(EAST, ANN, "old")
    await bench.sim.settle()
    old = bench.receiver.entries()[0]
    assert (await bench.forward(old, WEST))["errcode"] == 0
    for number in range(11):
        bench.sim.say(WEST, BOT, f"{number}")
    await bench.sim.settle()
    assert (await bench.forward(old, WEST))["errcode"] == 406
    assert bench.sim.pages._view.state()["messages"]


@rule
async def test_a_page_that_missed_what_is_forgotten_starts_over() -> None:
    bench = Bench(keep=10)
    events = bench.sim.pages._feed.events()
    await next_event(events)
    for number in range(100):
        bench.sim.say(EAST, ANN, f"{number}")
    name, fresh = await next_event(events)
    assert (name, fresh["messages"][-1]["shown"]["text"]) == ("state", "99")
    await bench.sim.settle()
    await events.aclose()  # type: ignore[attr-defined] # it is a generator
