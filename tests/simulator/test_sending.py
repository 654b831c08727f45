"""sendMessage: what is refused, what appears, which echoes come."""

from __future__ import annotations

from typing import Any

import pytest
from simulator.bench import ANN, BEN, BOT, EAST, SECOND, WEST, Bench, Json, rule

from relay.simulator.habits import Habits

TEXT: Json = {"msg_type": "text", "content": {"items": [{"type": "text", "text": "hi"}]}}


async def send(bench: Bench, *messages: Json, account: Any = BOT, target: Any = EAST) -> Any:
    fields = {"wxid": account, "target_wxid": target, "messages": list(messages)}
    answer = await bench.api("/wechat/sendMessage", fields)
    await bench.sim.settle()
    return answer


@pytest.mark.parametrize(
    "message",
    [
        {"msg_type": "merge", "content": {"title": "x"}},
        {"msg_type": "system", "content": {"text": "x"}},
        {"msg_type": "nonsense", "content": {}},
        {"msg_type": "text", "content": "hi"},
        {"msg_type": "text", "content": {"items": []}},
        {"msg_type": "text"},
        {"content": {}},
        {"msg_type": "picture", "content": {}},
        {"msg_type": "link", "content": {"title": "x"}},
        {"msg_type": "file", "content": {"url": "x"}},
        {"msg_type": "voice", "content": {"url": "never-received.mp3"}},
        TEXT | {"api_send_id": [1]},
        TEXT | {"delayed_time": "soon"},
        TEXT | {"delayed_time": 10**30},
    ],
)
@rule
async def test_a_message_that_cannot_be_sent_is_refused(message: Json) -> None:
    bench = Bench()
    assert (await send(bench, message))["errcode"] == 406
    assert bench.sim.ledger.messages == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"account": "1688859999999999"},
        {"account": 1688850000000001},
        {"target": "R:404"},
        {"target": ""},
        {"target": None},
    ],
)
@rule
async def test_an_unknown_account_or_target_is_refused(wrong: Json) -> None:
    assert (await send(Bench(), TEXT, **wrong))["errcode"] == 406


@pytest.mark.parametrize("count", [0, 6])
@rule
async def test_a_request_takes_one_to_five_messages(count: int) -> None:
    bench = Bench()
    assert (await send(bench, *[TEXT] * count))["errcode"] == 406
    assert bench.sim.ledger.messages == []


@rule
async def test_an_announcement_needs_a_room() -> None:
    bench, message = Bench(), {"msg_type": "announcement", "content": {"text": "x"}}
    assert (await send(bench, message, target=ANN))["errcode"] == 406
    assert (await send(bench, message, target=EAST))["errcode"] == 0


@rule
async def test_a_voice_that_was_received_can_be_sent() -> None:
    bench, content = Bench(), {"url": "https://x/1.mp3", "duration": 3}
    bench.sim.post(EAST, ANN, "voice", content)
    assert (await send(bench, {"msg_type": "voice", "content": content}, target=WEST))["errcode"] == 0


@rule
async def test_a_bad_message_among_good_ones_lacks_its_idx() -> None:
    bench = Bench()
    answer = await send(bench, TEXT, {"msg_type": "merge", "content": {}}, TEXT)
    assert [part["idx"] for part in answer["data"]] == [0, 2]
    assert len(bench.sim.ledger.in_chat(EAST)) == 2


@pytest.mark.parametrize("given", [42, "out-42"])
@rule
async def test_the_answer_gives_the_id_back_and_the_echo_carries_both(given: int | str) -> None:
    bench = Bench()
    answer = await send(bench, TEXT | {"api_send_id": given})
    part = answer["data"][0]
    echo = bench.receiver.entries(BOT)[0]
    assert answer.keys() == {"errcode", "data"}
    assert part == {"idx": 0, "api_send_svrid": part["api_send_svrid"], "api_send_id": given}
    assert (echo["api_send_svrid"], echo["api_send_id"]) == (part["api_send_svrid"], str(given))


@rule
async def test_only_the_sending_accounts_copy_carries_the_ids_of_the_api() -> None:
    bench = Bench()
    await send(bench, TEXT | {"api_send_id": 1}, target=WEST)
    own, other = bench.receiver.entries(BOT)[0], bench.receiver.entries(SECOND)[0]
    assert "api_send_id" in own
    assert "api_send_id" not in other
    assert "api_send_svrid" not in other


@rule
async def test_the_ids_of_the_api_may_stand_in_extra() -> None:
    bench = Bench(Habits(api_ids_in_extra=True))
    await send(bench, TEXT | {"api_send_id": 1})
    echo = bench.receiver.entries(BOT)[0]
    assert "api_send_id" not in echo
    assert echo["extra"]["api_send_id"] == "1"


@rule
async def test_an_effect_names_its_cause() -> None:
    bench = Bench()
    await send(bench, TEXT | {"api_send_id": "a.1"})
    (effect,) = bench.sim.ledger.effects(account=BOT, target=EAST, kind="send")
    assert effect.cause is not None
    assert (effect.cause.api_send_id, bench.sim.ledger.requests[effect.cause.request].path) == (
        "a.1",
        "/wechat/sendMessage",
    )


@rule
async def test_content_appears_with_the_bytes_that_were_sent() -> None:
    bench = Bench()
    content = b'{"items":[{"type":"text","text":"\\ud800","n":1.10}]}'
    body = b'{"app_id":"sim-app","access_token":"%b","wxid":"%b","target_wxid":"%b",' % (
        (await bench.token()).encode(),
        BOT.encode(),
        EAST.encode(),
    )
    await bench.post(
        "/wechat/sendMessage", body + b'"messages":[{"msg_type":"text","content":' + content + b"}]}"
    )
    assert bench.sim.ledger.messages[0].content == content
    await bench.sim.settle()


@rule
async def test_a_delayed_message_is_sent_at_its_second() -> None:
    bench = Bench()
    due = bench.clock.now() // 1000 + 60
    assert (await send(bench, TEXT | {"delayed_time": due}))["errcode"] == 0
    assert bench.sim.ledger.messages == []
    await bench.clock.advance(60)
    await bench.sim.settle()
    (message,) = bench.sim.ledger.in_chat(EAST)
    assert message.time == due * 1000


@rule
async def test_settling_waits_for_what_is_due() -> None:
    bench = Bench()
    await send(bench, TEXT | {"delayed_time": bench.clock.now() // 1000 + 60})
    bench.clock.jump(60)
    await bench.sim.settle()
    assert len(bench.receiver.entries()) == 1


@rule
async def test_after_the_account_left_a_room_sending_is_accepted_and_fails() -> None:
    bench = Bench()
    bench.sim.world.leave(EAST, BOT)
    answer = await send(bench, TEXT | {"api_send_id": 9})
    (failure,) = bench.receiver.entries(kind="chatMsgSendFail")
    assert answer["errcode"] == 0
    assert len(bench.receiver.entries()) == 1
    assert (failure["api_send_svrid"], failure["api_send_id"]) == (answer["data"][0]["api_send_svrid"], "9")
    assert bench.sim.ledger.effects() == []
    assert bench.sim.ledger.in_chat(EAST) == []


@rule
async def test_fail_next_is_about_one_message() -> None:
    bench = Bench()
    bench.sim.fail_next(BOT)
    await send(bench, TEXT, TEXT)
    assert len(bench.sim.ledger.failures()) == len(bench.sim.ledger.effects()) == 1


@rule
async def test_a_rejecting_target_fails_until_it_stops_rejecting() -> None:
    bench = Bench()
    bench.sim.reject(ANN)
    await send(bench, TEXT, target=ANN)
    bench.sim.reject(ANN, None)
    await send(bench, TEXT, target=ANN)
    assert [m.failed is None for m in bench.sim.ledger.messages] == [False, True]
    assert len(bench.sim.ledger.in_chat(BOT, ANN)) == 1


@rule
async def test_a_contact_may_be_out_of_an_accounts_reach() -> None:
    bench = Bench()
    bench.sim.world.add_contact(BEN, "Ben", friends=[SECOND])
    await send(bench, TEXT, target=BEN)
    assert [m.failed is None for m in bench.sim.ledger.messages] == [False]
