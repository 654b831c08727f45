"""Faults of calls: what the caller is told, and what really happened."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from typing import Any

import pytest
from simulator.bench import BOT, EAST, SECOND, WEST, Bench, Reply, call, rule

from relay.simulator.fault import PATHS, Fault, Kind, When
from relay.simulator.faults import MOST_FAULTS, FaultError
from relay.simulator.hangup import HangUpError

SEND = "/wechat/sendMessage"
SIDES = pytest.mark.parametrize("when", When)


def text(words: str) -> dict[str, Any]:
    return {"msg_type": "text", "content": {"items": [{"type": "text", "text": words}]}}


async def raw_send(bench: Bench, *texts: str, account: str = BOT, target: str = EAST) -> Reply:
    fields = {
        "app_id": "sim-app",
        "access_token": await bench.token(),
        "wxid": account,
        "target_wxid": target,
        "messages": [text(words) for words in texts or ("hi",)],
    }
    return await call(bench.sim.app, "POST", SEND, body=json.dumps(fields).encode())


async def started(awaitable: Awaitable[Any]) -> asyncio.Future[Any]:
    """Begin something and let it come as far as it can."""
    running = asyncio.ensure_future(awaitable)
    for _ in range(30):
        await asyncio.sleep(0)
    return running


def happened(bench: Bench) -> list[bool]:
    return [request.effective for request in bench.sim.ledger.requests if request.path == SEND]


def told(bench: Bench) -> int | None:
    return bench.sim.ledger.requests[-1].errcode


@SIDES
@rule
async def test_a_closed_call_has_no_answer_and_happened_or_not(when: When) -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.CLOSE, when, path=SEND))
    with pytest.raises(HangUpError):
        await raw_send(bench)
    assert len(bench.sim.ledger.effects()) == (when is When.AFTER)
    assert (happened(bench), told(bench)) == ([when is When.AFTER], None)
    await bench.sim.settle()


@SIDES
@rule
async def test_any_errcode_can_be_answered(when: When) -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.ERRCODE, when, path=SEND, errcode=113, message="not allowed"))
    assert (await raw_send(bench)).json == {"errcode": 113, "message": "not allowed"}
    assert len(bench.sim.ledger.effects()) == (when is When.AFTER)
    assert (happened(bench), told(bench)) == ([when is When.AFTER], 113)
    await bench.sim.settle()


@SIDES
@rule
async def test_any_status_can_be_answered(when: When) -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.HTTP_STATUS, when, path=SEND, status=429, retry_after="soon"))
    answer = await raw_send(bench)
    assert (answer.status, answer.headers["retry-after"]) == (429, "soon")
    assert (happened(bench), told(bench)) == ([when is When.AFTER], None)
    await bench.sim.settle()


@SIDES
@rule
async def test_an_answer_may_be_no_json(when: When) -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.NOT_JSON, when, path=SEND))
    answer = await raw_send(bench)
    assert (answer.status, answer.body[:1]) == (200, b"<")
    assert happened(bench) == [when is When.AFTER]
    await bench.sim.settle()


@SIDES
@rule
async def test_a_cut_answer_is_half_of_it(when: When) -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.CUT, when, path=SEND))
    answer = await raw_send(bench)
    assert len(answer.body) == int(answer.headers["content-length"]) // 2
    with pytest.raises(json.JSONDecodeError):
        _ = answer.json
    assert happened(bench) == [when is When.AFTER]
    await bench.sim.settle()


@SIDES
@rule
async def test_a_delay_is_before_the_effect_or_after_it(when: When) -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.DELAY, when, path=SEND, seconds=3))
    running = await started(raw_send(bench))
    await bench.clock.advance(2.9)
    assert (running.done(), len(bench.sim.ledger.effects())) == (False, when is When.AFTER)
    await bench.clock.advance(0.1)
    assert (await running).json["errcode"] == 0
    await bench.sim.settle()


@SIDES
@rule
async def test_what_hangs_goes_on_when_it_is_released(when: When) -> None:
    bench = Bench()
    standing = bench.sim.faults.add(Fault(Kind.HANG, when, path=SEND))
    running = await started(raw_send(bench))
    await bench.clock.advance(3600)
    assert (running.done(), len(bench.sim.ledger.effects())) == (False, when is When.AFTER)
    bench.sim.faults.release(standing.number)
    assert (await running).json["errcode"] == 0
    assert happened(bench) == [True]
    await bench.sim.settle()


@rule
async def test_a_hang_may_end_by_itself() -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.HANG, path=SEND, seconds=60))
    answer = await bench.clock.drive(raw_send(bench))
    assert answer.json["errcode"] == 0
    await bench.sim.settle()


@pytest.mark.parametrize("kind", [Kind.HANG, Kind.DELAY])
@rule
async def test_closing_the_simulator_ends_what_waits_and_nothing_happens(kind: Kind) -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(kind, path=SEND, seconds=99))
    running = await started(raw_send(bench))
    await bench.sim.close()
    with pytest.raises(HangUpError):
        await running
    assert bench.sim.ledger.effects() == []


@rule
async def test_removing_a_fault_releases_what_hangs_by_it_even_when_used_up() -> None:
    bench = Bench()
    standing = bench.sim.faults.add(Fault(Kind.HANG, path=SEND))
    running = await started(raw_send(bench))
    assert (bench.sim.faults.standing(), len(bench.sim.faults.holds)) == ([], 1)
    bench.sim.faults.remove(standing.number)
    assert (await running).json["errcode"] == 0
    await bench.sim.settle()


@SIDES
@rule
async def test_an_idx_may_be_missing(when: When) -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.MISSING_IDX, when, idx=1))
    answer = await raw_send(bench, "a", "b", "c")
    assert [part["idx"] for part in answer.json["data"]] == [0, 2]
    assert len(bench.sim.ledger.effects()) == (3 if when is When.AFTER else 2)
    await bench.sim.settle()


@rule
async def test_a_missing_idx_waits_for_a_request_that_has_it() -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.MISSING_IDX, idx=1))
    assert len((await raw_send(bench, "a")).json["data"]) == 1
    assert len((await raw_send(bench, "a", "b")).json["data"]) == 1
    await bench.sim.settle()


@rule
async def test_a_token_may_have_expired_for_a_call_but_never_for_fetching_one() -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.EXPIRED_TOKEN))
    assert [(await raw_send(bench)).json["errcode"] for _ in range(2)] == [111, 0]
    await bench.sim.settle()


@rule
async def test_all_tokens_can_expire_at_once() -> None:
    bench = Bench()
    token = await bench.token()
    bench.sim.tokens.expire_all()
    answer = await bench.post(SEND, {"app_id": "sim-app", "access_token": token})
    assert answer["errcode"] == 111


@rule
async def test_an_account_can_be_over_its_rate_for_a_while() -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.RATE_LIMIT, account=BOT, seconds=30))
    codes = [(await raw_send(bench, account=a, target=WEST)).json["errcode"] for a in (BOT, BOT, SECOND)]
    bench.clock.jump(30)
    codes.append((await raw_send(bench)).json["errcode"])
    assert codes == [407, 407, 0, 0]
    assert bench.sim.faults.standing() == []
    await bench.sim.settle()


@pytest.mark.parametrize(
    "scope",
    [{"account": SECOND}, {"target": WEST}, {"path": "/wechat/forwardMsg"}, {"account": BOT, "target": WEST}],
)
@rule
async def test_what_is_out_of_its_scope_is_left_alone(scope: dict[str, str]) -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.ERRCODE, times=None, **scope))  # type: ignore[arg-type] # all of them texts
    assert (await bench.send(EAST, "x"))["errcode"] == (0 if scope else 1001)
    await bench.sim.settle()


@rule
async def test_a_fault_strikes_so_many_times_or_until_it_is_removed() -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.ERRCODE, path=SEND, times=2, errcode=5))
    endless = bench.sim.faults.add(Fault(Kind.ERRCODE, path=SEND, times=None, errcode=6))
    codes = [(await raw_send(bench)).json["errcode"] for _ in range(4)]
    bench.sim.faults.remove(endless.number)
    codes.append((await raw_send(bench)).json["errcode"])
    assert codes == [5, 5, 6, 6, 0]
    await bench.sim.settle()


@rule
async def test_after_its_effect_nothing_strikes_a_call_that_was_refused() -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.CLOSE, When.AFTER, path=SEND))
    assert (await raw_send(bench, target="R:404")).json["errcode"] == 406
    assert bench.sim.ledger.strikes == []


@rule
async def test_waiting_adds_up_and_the_first_other_one_ends_it() -> None:
    bench = Bench()
    for fault in (
        Fault(Kind.DELAY, path=SEND, seconds=1),
        Fault(Kind.DELAY, path=SEND, seconds=2),
        Fault(Kind.ERRCODE, path=SEND, errcode=7),
        Fault(Kind.CLOSE, path=SEND),
    ):
        bench.sim.faults.add(fault)
    begun = bench.clock.now()
    assert (await bench.clock.drive(raw_send(bench))).json["errcode"] == 7
    assert bench.clock.now() - begun == 3000
    assert [standing.fault.kind for standing in bench.sim.faults.standing()] == [Kind.CLOSE]


async def mixture(seed: int) -> list[int]:
    bench = Bench()
    for errcode in (1, 2, 3):
        bench.sim.faults.add(
            Fault(Kind.ERRCODE, path=SEND, times=None, probability=0.3, seed=seed, errcode=errcode)
        )
    codes = [(await raw_send(bench)).json["errcode"] for _ in range(30)]
    await bench.sim.settle()
    return codes


@rule
async def test_mixtures_are_random_and_the_same_seed_gives_the_same_one() -> None:
    assert await mixture(1) == await mixture(1) != await mixture(2)
    assert set(await mixture(1)) == {0, 1, 2, 3}


@rule
async def test_every_use_is_on_record() -> None:
    bench = Bench()
    standing = bench.sim.faults.add(Fault(Kind.ERRCODE, path=SEND, account=BOT))
    await raw_send(bench)
    (strike,) = bench.sim.ledger.strikes
    assert (strike.fault, strike.kind, strike.account, strike.targets) == (
        standing.number,
        "errcode",
        BOT,
        (EAST,),
    )
    assert strike.request is not None
    assert bench.sim.ledger.requests[strike.request].path == SEND


def test_the_calls_that_a_fault_can_name_are_those_there_are() -> None:
    assert Bench().sim.api.paths == PATHS


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "nonsense"},
        {"kind": "close", "unheard_of": 1},
        {"kind": "close", "times": 0},
        {"kind": "close", "times": "3"},
        {"kind": "close", "probability": 0},
        {"kind": "close", "probability": float("nan")},
        {"kind": "close", "path": "/nowhere"},
        {"kind": "delay"},
        {"kind": "delay", "seconds": -1},
        {"kind": "delay", "seconds": float("inf")},
        {"kind": "errcode", "errcode": 0},
        {"kind": "http_status", "status": 99},
        {"kind": "http_status", "retry_after": "1\r\nSet-Cookie: x=1"},
        {"kind": "missing_idx", "idx": 5},
        {"kind": "drop", "path": SEND},
        {"kind": "drop", "when": "after"},
        {"kind": "expired_token", "when": "after"},
        {"kind": "errcode", "message": "x" * 501},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_with_a_sentence(body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Fault.of(body)


@pytest.mark.parametrize("kind", Kind)
def test_a_fault_is_the_same_after_a_journey_through_json(kind: Kind) -> None:
    fault = Fault(kind, account=BOT, seconds=3, times=None, probability=0.5, seed=9)
    assert Fault.of(json.loads(json.dumps(fault.as_json()))) == fault


@rule
async def test_only_so_many_faults_stand_and_an_unknown_one_cannot_be_removed() -> None:
    faults = Bench().sim.faults
    for _ in range(MOST_FAULTS):
        faults.add(Fault(Kind.CLOSE))
    for impossible in (lambda: faults.add(Fault(Kind.CLOSE)), lambda: faults.remove(10**6)):
        with pytest.raises(FaultError):
            impossible()
    faults.clear()
    assert faults.standing() == []
