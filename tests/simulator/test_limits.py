"""Rate limits: sliding windows on the clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator.bench import BOT, EAST, SECOND, WEST, Bench, rule

from relay.simulator.answers import Refusal
from relay.simulator.limits import COMMANDS, MESSAGES, QUERIES, Rate, Window


@rule
async def test_the_501st_message_of_a_minute_is_407_and_appears_nowhere() -> None:
    bench = Bench()
    for _ in range(100):
        assert (await bench.send(EAST, *"abcde"))["errcode"] == 0
        bench.clock.jump(0.5)
    assert (await bench.send(EAST, "x"))["errcode"] == 407
    assert len(bench.sim.ledger.in_chat(EAST)) == 500
    await bench.sim.settle()


@rule
async def test_a_request_that_does_not_fit_whole_is_refused_whole() -> None:
    bench = Bench()
    bench.sim.api._limits.take(MESSAGES, BOT, 498)
    assert (await bench.send(EAST, *"abc"))["errcode"] == 407
    assert (await bench.send(EAST, *"ab"))["errcode"] == 0
    await bench.sim.settle()


@rule
async def test_a_forward_counts_once_per_target() -> None:
    bench = Bench()
    bench.sim.say(EAST, "7881300000000001", "hi")
    await bench.sim.settle()
    bench.sim.api._limits.take(MESSAGES, BOT, 499)
    assert (await bench.forward(bench.receiver.entries()[0], WEST, EAST))["errcode"] == 407
    assert (await bench.forward(bench.receiver.entries()[0], WEST))["errcode"] == 0
    await bench.sim.settle()


@rule
async def test_one_account_does_not_use_up_what_another_may_send() -> None:
    bench = Bench()
    bench.sim.api._limits.take(MESSAGES, BOT, 500)
    assert (await bench.send(WEST, "x", account=SECOND))["errcode"] == 0
    await bench.sim.settle()


@rule
async def test_queries_have_a_limit_of_their_own() -> None:
    bench = Bench()
    bench.sim.api._limits.take(QUERIES, "", 500)
    answer = await bench.post("/oauth/token", {"app_id": "sim-app", "app_secret": "sim-secret"})
    assert answer["errcode"] == 407


@pytest.mark.parametrize("rate", [MESSAGES, COMMANDS, QUERIES])
def test_a_window_opens_again_when_its_time_is_over(rate: Rate) -> None:
    window = Window(rate)
    window.take(0, rate.count)
    with pytest.raises(Refusal, match="407"):
        window.take(rate.window - 1, 1)
    window.take(rate.window, rate.count)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 5)), max_size=60))
def test_no_stretch_of_a_window_ever_holds_more_than_the_limit(steps: list[tuple[int, int]]) -> None:
    window, now, taken = Window(Rate(10, 100, "things")), 0, list[tuple[int, int]]()
    for wait, cost in steps:
        now += wait
        recent = sum(c for t, c in taken if t > now - 100)
        try:
            window.take(now, cost)
        except Refusal:
            assert recent + cost > 10
        else:
            assert recent + cost <= 10
            taken.append((now, cost))
