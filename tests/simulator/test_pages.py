"""The page: what it is told, what its buttons do, and who may press them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from simulator.bench import ANN, BEN, BOT, EAST, WEST, Bench, Json, Reply, call, rule

from relay.simulator import demo_world
from relay.simulator.texts import TEXTS

OURS = {
    "content-type": "application/json",
    "origin": "http://127.0.0.1:8090",
    "sec-fetch-site": "same-origin",
}
HI: Json = {
    "chat": EAST,
    "sender": ANN,
    "msg_type": "text",
    "content": {"items": [{"type": "text", "text": "hi"}]},
}


ACTIONS = (
    *("say", "callback", "rooms", "contacts", "accounts", "private", "members", "example"),
    *("faults/add", "faults/remove", "faults/clear", "faults/release", "faults/tokens"),
    *("record/start", "record/stop", "replay", "replay/stop"),
)


async def press(bench: Bench, name: str, body: object, headers: Json | None = None) -> Reply:
    raw = json.dumps(body).encode()
    answer = await call(bench.sim.app, "POST", f"/sim/{name}", body=raw, headers={**OURS, **(headers or {})})
    await bench.sim.settle()
    return answer


async def state(bench: Bench) -> Any:
    return (await call(bench.sim.app, "GET", "/sim/state")).json


async def next_event(events: AsyncIterator[bytes]) -> tuple[str, Any]:
    fields = dict(line.split(": ", 1) for line in (await anext(events)).decode().strip().split("\n"))
    return fields["event"], json.loads(fields["data"])


@rule
async def test_what_a_person_types_is_said_and_pushed() -> None:
    bench = Bench()
    assert (await press(bench, "say", HI)).status == 200
    assert len(bench.sim.ledger.in_chat(EAST)) == len(bench.receiver.entries()) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"content-type": "text/plain"},
        {"host": "evil.example", "origin": "http://evil.example"},
    ],
)
@pytest.mark.parametrize("name", ACTIONS)
@rule
async def test_what_another_site_sends_is_refused(name: str, headers: Json) -> None:
    bench = Bench()
    assert (
        await press(bench, name, HI | {"url": "http://evil.example/", "name": "x"}, headers)
    ).status == 403
    assert bench.sim.ledger.messages == []
    assert bench.sim.callback_url is None


@pytest.mark.parametrize("path", ["/", "/sim/state", "/sim/events", "/sim/faults", "/sim/recording"])
@rule
async def test_a_foreign_host_name_gets_nothing_to_read(path: str) -> None:
    answer = await call(Bench().sim.app, "GET", path, headers={"host": "rebound.example:8090"})
    assert answer.status == 403


@pytest.mark.parametrize("host", ["localhost:8090", "127.0.0.1", "[::1]:8090", "192.168.1.5:8090"])
@rule
async def test_addresses_and_localhost_are_ours(host: str) -> None:
    assert (await call(Bench().sim.app, "GET", "/", headers={"host": host})).status == 200


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("say", HI | {"sender": BEN, "chat": WEST}),
        ("say", HI | {"content": "x"}),
        ("say", HI | {"msg_type": ""}),
        ("say", []),
        ("callback", {"url": "file:///etc/passwd"}),
        ("callback", {"url": "nonsense"}),
        ("rooms", {"name": "x"}),
        ("rooms", {"name": " ", "members": []}),
        ("private", {"account": ANN, "contact": BEN}),
        ("members", {"room": "R:404", "member": ANN, "inside": True}),
        ("accounts", {"name": " "}),
        ("accounts", {"name": "Third", "room": "R:404"}),
        ("contacts", {"name": "Cleo", "room": "R:404"}),
        ("faults/add", {"kind": "nonsense"}),
        ("faults/remove", {"number": 404}),
        ("faults/remove", {}),
        ("replay", {"recording": "nonsense"}),
        ("replay", {"recording": "{}", "speed": "fast"}),
    ],
)
@rule
async def test_what_makes_no_sense_is_told_in_a_sentence(name: str, body: object) -> None:
    answer = await press(Bench(), name, body)
    assert answer.status == 400
    assert answer.json["error"]


@rule
async def test_the_callback_url_can_be_set_and_taken_away() -> None:
    bench = Bench()
    await press(bench, "callback", {"url": "http://127.0.0.1:8080/callback/x"})
    assert bench.sim.callback_url == "http://127.0.0.1:8080/callback/x"
    await press(bench, "callback", {"url": ""})
    assert bench.sim.callback_url is None


@rule
async def test_rooms_people_and_private_chats_can_be_added() -> None:
    bench = Bench()
    await press(bench, "rooms", {"name": "North", "members": [ANN, BOT]})
    room = next(room for room in bench.sim.world.rooms.values() if room.name == "North")
    await press(bench, "contacts", {"name": "Cleo", "room": room.wxid})
    cleo = next(contact for contact in bench.sim.world.contacts.values() if contact.nickname == "Cleo")
    await press(bench, "members", {"room": room.wxid, "member": ANN, "inside": False})
    await press(bench, "private", {"account": BOT, "contact": cleo.wxid})
    assert bench.sim.world.rooms[room.wxid].members == (BOT, cleo.wxid)
    assert (await state(bench))["places"][-1]["id"] == "|".join(sorted((BOT, cleo.wxid)))


@rule
async def test_the_example_world_fills_an_empty_page() -> None:
    bench = Bench()
    await press(bench, "example", {"lang": "en"})
    names = [place["name"] for place in (await state(bench))["places"]]
    assert "East Customers" in names
    assert demo_world.ASSISTANT in bench.sim.world.rooms[demo_world.EAST].members


@rule
async def test_the_page_is_told_how_a_message_came() -> None:
    bench = Bench()
    bench.sim.say(EAST, ANN, "hi")
    bench.sim.say(EAST, BOT, "by hand")
    await bench.sim.settle()
    await bench.forward(bench.receiver.entries()[0], WEST)
    await bench.send(EAST, "answer")
    await bench.sim.settle()
    told = [(m["ours"], m["via"], m["origin"]) for m in (await state(bench))["messages"]]
    assert told == [(False, None, None), (True, None, None), (True, "forward", "East"), (True, "send", None)]


@rule
async def test_the_page_is_told_what_the_callback_answered() -> None:
    bench = Bench()

    async def silent() -> int:
        await bench.clock.sleep(5)
        return 200

    bench.receiver.answer = silent
    bench.sim.say(EAST, ANN, "hi")
    await bench.clock.drive(bench.sim.settle())
    status = (await state(bench))["status"]
    assert status["last"] == {"state": "timed_out", "status": None, "ms": 1000}
    assert (status["pushes"], status["timeouts"]) == (1, 1)


@rule
async def test_the_page_is_told_why_a_request_was_refused() -> None:
    bench = Bench()
    await bench.post("/oauth/token", {})
    status = (await state(bench))["status"]
    assert (status["requests"], status["refusals"]) == (1, 1)
    assert status["last_refusal"]["errcode"] == 101


@rule
async def test_the_stream_begins_with_the_state_and_goes_on_with_changes() -> None:
    bench = Bench()
    bench.sim.say(EAST, ANN, "before")
    events = bench.sim.pages._feed.events()
    name, first = await next_event(events)
    bench.sim.say(EAST, ANN, "after")
    await bench.sim.settle()
    changed, change = await next_event(events)
    assert (name, [m["shown"]["text"] for m in first["messages"]]) == ("state", ["before"])
    assert (changed, [m["shown"]["text"] for m in change["messages"]]) == ("change", ["after"])
    await events.aclose()  # type: ignore[attr-defined] # it is a generator
    assert bench.sim.ledger._watchers == []


@rule
async def test_a_new_room_makes_the_stream_start_over() -> None:
    bench = Bench()
    events = bench.sim.pages._feed.events()
    await next_event(events)
    await press(bench, "rooms", {"name": "North", "members": []})
    name, fresh = await next_event(events)
    assert (name, fresh["places"][-1]["name"]) == ("state", "North")


@rule
async def test_closing_ends_the_streams() -> None:
    bench = Bench()
    events = bench.sim.pages._feed.events()
    await next_event(events)
    bench.sim.pages.close()
    assert [event async for event in events] == []


@rule
async def test_the_language_is_chosen_by_the_link_and_remembered() -> None:
    bench = Bench()
    plain = await call(bench.sim.app, "GET", "/")
    chosen = await call(bench.sim.app, "GET", "/", query={"lang": "en"})
    cookie = chosen.headers["set-cookie"].partition(";")[0]
    remembered = await call(bench.sim.app, "GET", "/", headers={"cookie": cookie})
    assert ["云真机模拟器".encode() in page.body for page in (plain, chosen, remembered)] == [
        True,
        False,
        False,
    ]


def test_both_languages_have_the_same_texts() -> None:
    assert TEXTS["zh"].keys() == TEXTS["en"].keys()


@rule
async def test_the_page_needs_nothing_from_elsewhere_and_runs_no_inline_script() -> None:
    answer = await call(Bench().sim.app, "GET", "/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert b"://" not in answer.body
    assert b"<script>" not in answer.body
