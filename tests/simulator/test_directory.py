"""The reading calls, and taking a message back."""

from __future__ import annotations

import pytest
from simulator.bench import ANN, BEN, BOT, EAST, SECOND, WEST, Bench, Json, rule


@rule
async def test_the_list_of_accounts_is_paged() -> None:
    bench = Bench()
    answer = await bench.get("/wechat/list", page="2", page_size="1")
    assert answer["pager"] == {"page": 2, "perPage": 1, "numRecords": 2, "numPages": 2}
    assert [record["wxid"] for record in answer["data"]] == [SECOND]
    assert answer["data"][0].keys() == {"id", "wxid", "nickname", "full_name", "avatar"}


@pytest.mark.parametrize(("online", "count"), [("1", 1), ("0", 1), ("-1", 2)])
@rule
async def test_accounts_can_be_asked_for_by_presence(online: str, count: int) -> None:
    bench = Bench()
    bench.sim.add_account(SECOND, "asleep", online=False)
    assert len((await bench.get("/wechat/list", online=online))["data"]) == count


@pytest.mark.parametrize("paging", [{"page": "0"}, {"page_size": "101"}, {"page_size": "0"}, {"page": "x"}])
@rule
async def test_impossible_pages_are_refused(paging: Json) -> None:
    assert (await Bench().get("/wechat/list", **paging))["errcode"] == 406


@rule
async def test_a_room_has_details_and_members() -> None:
    bench = Bench()
    detail = (await bench.get("/wechat/roomDetail", wxid=EAST))["data"]
    members = (await bench.get("/wechat/roomMembers", room_wxid=EAST))["data"]
    assert (detail["wxid"], detail["nickname"]) == (EAST, "East")
    assert [member["wxid"] for member in members] == [ANN, BEN, BOT]


@rule
async def test_a_contact_has_accounts_rooms_and_details() -> None:
    bench = Bench()
    info = (await bench.get("/wechat/contactInfo", wxid=ANN))["data"]
    detail = (await bench.get("/wechat/contactDetail", rel_wxid=BOT, wxid=ANN))["data"]
    assert info == {"rel_wxids": [BOT, SECOND], "room_wxids": [EAST, WEST]}
    assert (detail["wxid"], detail["nickname"]) == (ANN, "Ann")


@pytest.mark.parametrize(
    ("fields", "rooms"),
    [({}, [EAST, WEST]), ({"rel_wxid": SECOND}, [WEST]), ({"wxids": f"{EAST},R:404"}, [EAST])],
)
@rule
async def test_rooms_can_be_asked_for_by_account_and_by_id(fields: Json, rooms: list[str]) -> None:
    answer = await Bench().api("/wechat/rooms", fields)
    assert [room["wxid"] for room in answer["data"]] == rooms


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/wechat/roomDetail", {"wxid": "R:404"}),
        ("/wechat/roomDetail", {}),
        ("/wechat/roomMembers", {"room_wxid": ANN}),
        ("/wechat/contactInfo", {"wxid": "x"}),
        ("/wechat/contactDetail", {"rel_wxid": ANN, "wxid": ANN}),
        ("/wechat/chatLogs", {"svrid": "404"}),
        ("/wechat/chatLogs", {"direction": "3"}),
    ],
)
@rule
async def test_what_does_not_exist_is_406(path: str, query: dict[str, str]) -> None:
    assert (await Bench().get(path, **query))["errcode"] == 406


@rule
async def test_callbacks_come_from_known_addresses() -> None:
    assert (await Bench().get("/index/serverIpList"))["data"] == ["127.0.0.1"]


async def logged(bench: Bench, **query: str) -> list[str]:
    answer = await bench.get("/wechat/chatLogs", **query)
    return [entry["content"]["items"][0]["text"] for entry in answer["data"]]


@rule
async def test_the_log_goes_forward_after_a_message_and_backward_before_it() -> None:
    bench = Bench()
    for text in "abcde":
        bench.sim.say(EAST, ANN, text)
    await bench.sim.settle()
    middle = bench.receiver.entries()[2]["svrid"]
    assert await logged(bench, svrid=middle, direction="2") == ["d", "e"]
    assert await logged(bench, svrid=middle, direction="1") == ["b", "a"]
    assert await logged(bench) == ["e", "d", "c", "b", "a"]
    assert await logged(bench, page="2", page_size="2") == ["c", "b"]


@rule
async def test_the_log_has_the_entries_that_were_pushed_and_those_that_were_missed() -> None:
    async def refuse() -> int:
        raise ConnectionRefusedError

    bench = Bench(answer=refuse)
    bench.sim.say(EAST, ANN, "missed")
    await bench.sim.settle()
    assert (await bench.get("/wechat/chatLogs"))["data"] == bench.receiver.entries()


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ({"wxid": SECOND}, ["west"]),
        ({"chat_wxid": EAST}, ["east"]),
        ({"chat_type": "1"}, ["private"]),
        ({"chat_type": "2", "wxid": BOT}, ["west", "east"]),
        ({"msg_type": "link"}, []),
    ],
)
@rule
async def test_the_log_can_be_narrowed(query: dict[str, str], texts: list[str]) -> None:
    bench = Bench()
    bench.sim.say(EAST, ANN, "east")
    bench.sim.say(BOT, ANN, "private")
    bench.sim.say(WEST, ANN, "west")
    await bench.sim.settle()
    assert await logged(bench, **query) == texts


async def revoke(bench: Bench, entry: Json) -> int:
    fields = {"wxid": BOT, **{name: entry[name] for name in ("chat_wxid", "wx_svrid", "wx_msgid")}}
    answer = await bench.api("/wechat/revokeMessage", fields)
    await bench.sim.settle()
    return int(answer["errcode"])


@rule
async def test_our_own_message_can_be_revoked_once() -> None:
    bench = Bench()
    await bench.send(EAST, "oops")
    await bench.sim.settle()
    echo = bench.receiver.entries()[0]
    assert [await revoke(bench, echo), await revoke(bench, echo)] == [0, 406]
    assert bench.sim.ledger.messages[0].revoked
    assert bench.receiver.entries()[1]["msg_type"] == "revoke"


@pytest.mark.parametrize(("seconds", "errcode"), [(120, 0), (120.001, 406)])
@rule
async def test_revoking_ends_after_two_minutes(seconds: float, errcode: int) -> None:
    bench = Bench()
    await bench.send(EAST, "oops")
    await bench.sim.settle()
    bench.clock.jump(seconds)
    assert await revoke(bench, bench.receiver.entries()[0]) == errcode


@rule
async def test_what_others_said_cannot_be_revoked() -> None:
    bench = Bench()
    bench.sim.say(EAST, ANN, "mine")
    await bench.sim.settle()
    assert await revoke(bench, bench.receiver.entries()[0]) == 406
