"""Pushes: once, one second, in order, and given up after too many time-outs."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from simulator.bench import ANN, BOT, EAST, SECOND, SETTINGS, WEST, Bench, rule

from relay.simulator.app import create_simulator
from relay.simulator.habits import Habits
from relay.simulator.ledger import PushState
from relay.wire.crypto import open_body


def states(bench: Bench) -> list[PushState]:
    return [push.state for push in bench.sim.ledger.pushes]


def answering_after(seconds: float, status: int = 200) -> Bench:
    bench = Bench()

    async def answer() -> int:
        await bench.clock.sleep(seconds)
        return status

    bench.receiver.answer = answer
    return bench


@rule
async def test_an_answer_within_the_second_counts_whatever_its_status() -> None:
    bench = answering_after(0.999, status=500)
    bench.sim.say(EAST, ANN, "hi")
    await bench.clock.drive(bench.sim.settle())
    (push,) = bench.sim.ledger.pushes
    assert (push.state, push.status, push.ms) == (PushState.ANSWERED, 500, 999)


@rule
async def test_after_one_second_it_is_over_and_never_tried_again() -> None:
    bench = answering_after(1.5)
    bench.sim.say(EAST, ANN, "hi")
    started = bench.clock.now()
    await bench.clock.drive(bench.sim.settle())
    await bench.clock.advance(86_400)
    assert states(bench) == [PushState.TIMED_OUT]
    assert bench.sim.ledger.pushes[0].ms == 1000
    assert len(bench.receiver.bodies) == 1
    assert started + 1000 <= bench.clock.now()


@rule
async def test_a_refused_push_is_never_tried_again() -> None:
    async def refuse() -> int:
        raise ConnectionRefusedError

    bench = Bench(answer=refuse)
    bench.sim.say(EAST, ANN, "hi")
    await bench.sim.settle()
    await bench.clock.advance(3600)
    assert (states(bench), len(bench.receiver.bodies)) == ([PushState.REFUSED], 1)


@rule
async def test_a_mistake_of_the_receiver_comes_out_of_settle() -> None:
    async def stumble() -> int:
        raise ZeroDivisionError

    bench = Bench(answer=stumble)
    bench.sim.say(EAST, ANN, "hi")
    with pytest.raises(ZeroDivisionError):
        await bench.sim.settle()


@rule
async def test_pushes_of_one_account_wait_for_each_other_those_of_two_do_not() -> None:
    bench = answering_after(0.5)
    bench.sim.say(WEST, ANN, "one")
    bench.sim.say(WEST, ANN, "two")
    await bench.clock.advance(0)
    assert len(bench.receiver.bodies) == 2
    assert {entry["wxid"] for entry in bench.receiver.entries()} == {BOT, SECOND}
    await bench.clock.drive(bench.sim.settle())
    assert len(bench.receiver.bodies) == 4


@rule
async def test_pushes_may_run_side_by_side() -> None:
    bench = Bench(Habits(concurrent_pushes=True))

    async def answer() -> int:
        await bench.clock.sleep(0.5)
        return 200

    bench.receiver.answer = answer
    for _ in range(3):
        bench.sim.say(EAST, ANN, "hi")
    await bench.clock.advance(0)
    assert len(bench.receiver.bodies) == 3
    await bench.clock.drive(bench.sim.settle())


@rule
async def test_after_more_than_a_thousand_time_outs_there_are_no_callbacks_until_midnight_in_beijing() -> (
    None
):
    bench = answering_after(2)
    for _ in range(1002):
        bench.sim.say(EAST, ANN, "hi")
    await bench.clock.drive(bench.sim.settle())
    assert (states(bench).count(PushState.TIMED_OUT), states(bench)[-1]) == (1001, PushState.STOPPED)
    bench.receiver.answer = None
    to_midnight = 86_400 - (bench.clock.now() / 1000 + 8 * 3600) % 86_400
    await bench.clock.advance(to_midnight - 1)
    bench.sim.say(EAST, ANN, "still today")
    await bench.clock.drive(bench.sim.settle())
    await bench.clock.advance(1)
    bench.sim.say(EAST, ANN, "tomorrow")
    await bench.clock.drive(bench.sim.settle())
    assert states(bench)[-2:] == [PushState.STOPPED, PushState.ANSWERED]


@rule
async def test_nothing_is_left_running_once_settled() -> None:
    bench = Bench()
    bench.sim.say(WEST, ANN, "hi")
    await bench.sim.settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@rule
async def test_over_http_a_push_is_an_encrypted_post_and_an_unknown_callback_gets_none() -> None:
    seen: list[tuple[str, bytes]] = []

    async def receive(request: web.Request) -> web.Response:
        seen.append((request.headers["Content-Type"], await request.read()))
        return web.json_response({"errcode": 0})

    server = web.Application()
    server.router.add_post("/callback", receive)
    runner = web.AppRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sim = create_simulator()
    sim.add_account(BOT, "bot")
    sim.add_contact(ANN, "Ann")
    sim.say(BOT, ANN, "before")
    await sim.settle()
    sim.callback_url = f"{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    sim.callback_url = f"http://127.0.0.1:{sim.callback_url}/callback"
    sim.say(BOT, ANN, "after")
    await sim.settle()
    await runner.cleanup()
    sim.say(BOT, ANN, "nobody listens")
    await sim.settle()
    await sim.close()
    ((content_type, body),) = seen
    assert content_type == "application/json; charset=utf-8"
    assert b"after" in open_body(body, SETTINGS.key, allow_plaintext=False)
    assert [push.state for push in sim.ledger.pushes] == ["nowhere", "answered", "refused"]
