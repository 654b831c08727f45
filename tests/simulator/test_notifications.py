"""What our accounts are shown when somebody says something."""

from __future__ import annotations

import json

import pytest
from simulator.bench import ANN, BEN, BOT, EAST, SECOND, WEST, Bench, Json, rule

from relay.simulator.habits import Habits, SharedId
from relay.simulator.world import WorldError

ENTRY = {
    *(
        "svrid",
        "wx_svrid",
        "wx_msgid",
        "client_id",
        "msg_hash",
        "wxid",
        "chat_wxid",
        "chat_type",
        "from_wxid",
    ),
    *("to_wxid", "msg_type", "content", "msg_time", "user_id", "sub_user_id", "corp_id", "extra"),
}


async def entries(bench: Bench, chat: str = WEST, sender: str = ANN) -> list[Json]:
    bench.sim.say(chat, sender, "hi")
    await bench.sim.settle()
    return bench.receiver.entries()


@rule
async def test_a_notification_has_the_documented_shape() -> None:
    bench = Bench()
    (entry,) = await entries(bench, EAST)
    (envelope,) = json.loads(bench.receiver.bodies[0])
    assert envelope.keys() == {"type", "corp_wxid", "rel_wxid", "data"}
    assert entry.keys() == ENTRY
    assert entry["content"] == {"items": [{"type": "text", "text": "hi"}]}
    assert (entry["msg_time"], entry["chat_type"]) == (bench.clock.now(), 2)
    assert (entry["from_wxid"], entry["to_wxid"], entry["chat_wxid"]) == (ANN, EAST, EAST)


@rule
async def test_every_account_in_a_room_gets_a_copy_of_its_own() -> None:
    one, other = await entries(Bench())
    assert (one["wxid"], other["wxid"]) == (BOT, SECOND)
    assert one["svrid"] != other["svrid"]
    assert one["wx_svrid"] == other["wx_svrid"]


@rule
async def test_copies_may_have_different_wecom_ids() -> None:
    one, other = await entries(Bench(Habits(wx_svrid=SharedId.SEPARATE)))
    assert one["wx_svrid"] != other["wx_svrid"]


@rule
async def test_copies_may_have_no_wecom_id() -> None:
    assert not any("wx_svrid" in entry for entry in await entries(Bench(Habits(wx_svrid=SharedId.ABSENT))))


@rule
async def test_a_private_chat_is_named_after_the_other_one() -> None:
    bench = Bench()
    (said,) = await entries(bench, BOT, ANN)
    bench.sim.say(ANN, BOT, "answer")
    await bench.sim.settle()
    answered = bench.receiver.entries()[1]
    assert (said["chat_wxid"], said["from_wxid"], said["to_wxid"], said["chat_type"]) == (ANN, ANN, BOT, 1)
    assert (answered["chat_wxid"], answered["from_wxid"], answered["to_wxid"]) == (ANN, BOT, ANN)
    assert len(bench.sim.ledger.in_chat(BOT, ANN)) == len(bench.sim.ledger.in_chat(ANN, BOT)) == 2


@rule
async def test_two_of_our_accounts_in_private_each_see_the_other() -> None:
    one, other = await entries(Bench(), SECOND, BOT)
    assert [(one["wxid"], one["chat_wxid"]), (other["wxid"], other["chat_wxid"])] == [
        (BOT, SECOND),
        (SECOND, BOT),
    ]


@rule
async def test_content_is_pushed_with_the_bytes_it_was_posted_with() -> None:
    bench = Bench()
    content = b'{ "n": 1.10, "n": 1e2, "x": "\\u0041\\ud800", "y": NaN }'
    bench.sim.post(EAST, ANN, "text", content)
    await bench.sim.settle()
    assert b'"content":' + content + b',"msg_time"' in bench.receiver.bodies[0]


@pytest.mark.parametrize(
    ("chat", "sender"), [(WEST, BEN), ("R:404", ANN), (EAST, "7881000000000000"), (ANN, ANN)]
)
@rule
async def test_nobody_speaks_where_they_are_not(chat: str, sender: str) -> None:
    bench = Bench()
    with pytest.raises(WorldError):
        bench.sim.say(chat, sender, "hi")
    assert bench.sim.ledger.messages == []


@rule
async def test_two_simulators_in_one_process_know_nothing_of_each_other() -> None:
    one, other = Bench(), Bench()
    first, second = await entries(one, EAST), await entries(other, EAST)
    assert first == second
    assert len(one.sim.ledger.messages) == len(other.sim.ledger.messages) == 1


def test_what_is_said_before_the_loop_runs_is_pushed_once_it_does() -> None:
    bench = Bench()
    bench.sim.say(EAST, ANN, "early")
    rule(bench.sim.settle)()
    assert len(bench.receiver.entries()) == 1
