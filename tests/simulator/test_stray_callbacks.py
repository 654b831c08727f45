"""Faults of callbacks and of delivery: their order, their number, their time."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from simulator.bench import ANN, BEN, BOT, EAST, SECOND, WEST, Bench, rule

from relay.simulator.fault import REORDER_PATIENCE, Fault, Kind
from relay.simulator.ledger import PushState


def received(bench: Bench) -> list[str]:
    """What the bot got, in order: the texts of messages, `!` for a failure event."""
    found = []
    for body in bench.receiver.bodies:
        for envelope in json.loads(body):
            entry = envelope["data"][0]
            is_message = envelope["type"] == "chatMsg"
            found.append(entry["content"]["items"][0]["text"] if is_message else "!")
    return found


def said(bench: Bench, *texts: str) -> None:
    for words in texts:
        bench.sim.say(EAST, ANN, words)


@rule
async def test_a_dropped_callback_never_comes_and_is_on_record() -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.DROP))
    said(bench, "a", "b")
    await bench.sim.settle()
    assert received(bench) == ["b"]
    assert bench.sim.ledger.pushes[0].state is PushState.DROPPED
    assert bench.sim.ledger.strikes[0].push == 0
    assert len(bench.sim.ledger.in_chat(EAST)) == 2


@rule
async def test_a_duplicated_callback_comes_twice() -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.DUPLICATE))
    said(bench, "a", "b")
    await bench.sim.settle()
    assert received(bench) == ["a", "a", "b"]
    assert bench.receiver.bodies[0] == bench.receiver.bodies[1]


@rule
async def test_a_callback_may_be_replayed_much_later() -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.DUPLICATE, seconds=86_400))
    said(bench, "a")
    await bench.sim.settle()
    assert received(bench) == ["a"]
    await bench.clock.advance(86_400)
    await bench.sim.settle()
    assert received(bench) == ["a", "a"]


@rule
async def test_a_reordered_callback_comes_after_the_next_one() -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.REORDER))
    said(bench, "a", "b", "c")
    await bench.sim.settle()
    assert received(bench) == ["b", "a", "c"]
    await bench.sim.close()


@rule
async def test_a_reordered_callback_without_a_next_one_comes_all_the_same() -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.REORDER))
    said(bench, "a")
    await bench.sim.settle()
    assert received(bench) == []
    await bench.clock.advance(REORDER_PATIENCE)
    await bench.sim.settle()
    assert received(bench) == ["a"]


@rule
async def test_a_late_callback_is_overtaken_by_others() -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.LATE, seconds=10))
    said(bench, "a", "b")
    await bench.clock.advance(10)
    await bench.sim.settle()
    assert received(bench) == ["b", "a"]


@pytest.mark.parametrize(
    ("scope", "comes"),
    [
        ({}, []),
        ({"account": BOT}, [SECOND]),
        ({"account": SECOND}, [BOT]),
        ({"target": EAST}, [BOT, SECOND]),
        ({"target": WEST}, []),
    ],
)
@rule
async def test_callbacks_are_struck_by_account_and_chat(scope: dict[str, Any], comes: list[str]) -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.DROP, times=None, **scope))
    bench.sim.say(WEST, ANN, "hi")
    await bench.sim.settle()
    assert sorted(entry["wxid"] for entry in bench.receiver.entries()) == comes


@rule
async def test_a_fault_of_echoes_leaves_what_people_say_alone() -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.DROP, times=None, echoes_only=True))
    bench.sim.say(WEST, ANN, "hi")
    await bench.send(WEST, "answer")
    await bench.sim.settle()
    assert sorted(received(bench)) == ["answer", "hi", "hi"]  # the answer as the second account sees it
    assert {entry["wxid"] for entry in bench.receiver.entries() if entry["from_wxid"] == BOT} == {SECOND}


@rule
async def test_an_echo_may_have_its_ids_in_extra() -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.IDS_IN_EXTRA))
    await bench.send(EAST, "a", api_send_id=1)
    await bench.send(EAST, "b", api_send_id=2)
    await bench.sim.settle()
    first, second = bench.receiver.entries(BOT)
    assert (first["extra"]["api_send_id"], second["api_send_id"]) == ("1", "2")


@pytest.mark.parametrize(
    ("fault", "order"),
    [
        (Fault(Kind.FAIL_EARLY), ["!", "a"]),
        (Fault(Kind.FAIL_LATE, seconds=60), ["a", "!"]),
        (Fault(Kind.FAIL_FIRST), ["a", "!"]),
    ],
)
@rule
async def test_a_failure_event_comes_early_or_late(fault: Fault, order: list[str]) -> None:
    bench = Bench()
    bench.sim.faults.add(fault)
    assert (await bench.send(EAST, "a"))["errcode"] == 0
    await bench.sim.settle()
    assert received(bench) == (order[:1] if fault.seconds else order)
    await bench.clock.advance(60)
    await bench.sim.settle()
    assert received(bench) == order
    assert (bench.sim.ledger.effects(), len(bench.sim.ledger.failures())) == ([], 1)


@pytest.mark.parametrize("kind", [Kind.ECHO_FIRST, Kind.FAIL_FIRST])
@rule
async def test_an_answer_may_wait_for_what_is_pushed(kind: Kind) -> None:
    bench = Bench()

    async def slowly() -> int:
        await bench.clock.sleep(0.5)
        return 200

    bench.receiver.answer = slowly
    bench.sim.faults.add(Fault(kind))
    sending = asyncio.ensure_future(bench.send(EAST, "a"))
    await bench.clock.advance(0.4)
    assert not sending.done()
    await bench.clock.advance(1)
    assert (await sending)["errcode"] == 0
    assert received(bench) == (["a"] if kind is Kind.ECHO_FIRST else ["a", "!"])


@rule
async def test_a_forward_can_fail_on_demand_as_well() -> None:
    bench = Bench()
    bench.sim.say(EAST, BEN, "a")
    await bench.sim.settle()
    bench.sim.faults.add(Fault(Kind.FAIL_EARLY, path="/wechat/forwardMsg", target=WEST, message="no"))
    await bench.forward(bench.receiver.entries()[0], WEST)
    await bench.sim.settle()
    assert [message.failed for message in bench.sim.ledger.failures()] == ["no"]
