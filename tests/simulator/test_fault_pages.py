"""Faults, accounts and sessions over HTTP, as the page asks for them."""

from __future__ import annotations

import json

import pytest
from simulator.bench import ANN, BOT, EAST, Bench, call, rule
from simulator.test_pages import press, state
from simulator.test_shown import TYPES

from relay.simulator.fault import Fault, Kind
from relay.simulator.fault_texts import FAULT_TEXTS
from relay.simulator.pages import MOST_BYTES

CLOSE = {"kind": "close", "when": "after", "account": BOT, "times": 3}


@rule
async def test_faults_are_added_listed_removed_and_cleared() -> None:
    bench = Bench()
    number = (await press(bench, "faults/add", CLOSE)).json["number"]
    await press(bench, "faults/add", {"kind": "drop"})
    await press(bench, "faults/add", {"kind": "late", "seconds": 3})
    await press(bench, "faults/remove", {"number": number})
    listed = (await call(bench.sim.app, "GET", "/sim/faults")).json
    assert [fault["kind"] for fault in listed["faults"]] == ["drop", "late"]
    await press(bench, "faults/clear", {})
    assert bench.sim.faults.standing() == []


@rule
async def test_the_page_is_told_what_stands_and_what_struck() -> None:
    bench = Bench()
    bench.sim.faults.add(Fault(Kind.DROP, times=2))
    bench.sim.say(EAST, ANN, "hi")
    await bench.sim.settle()
    faults = (await state(bench))["status"]["faults"]
    assert [(fault["kind"], fault["struck"]) for fault in faults["faults"]] == [("drop", 1)]
    assert [(strike["kind"], strike["account"]) for strike in faults["strikes"]] == [("drop", BOT)]
    assert faults["held"] == 0


@rule
async def test_tokens_expire_at_the_press_of_a_button() -> None:
    bench = Bench()
    token = await bench.token()
    await press(bench, "faults/tokens", {})
    answer = await bench.post("/wechat/sendMessage", {"app_id": "sim-app", "access_token": token})
    assert answer["errcode"] == 111


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_kind_has_a_name_and_an_explanation(kind: Kind, language: str) -> None:
    assert {f"fault_{kind}", f"about_{kind}"} <= FAULT_TEXTS[language].keys()


def test_both_languages_have_the_same_words_for_faults() -> None:
    assert FAULT_TEXTS["zh"].keys() == FAULT_TEXTS["en"].keys()


@rule
async def test_accounts_can_be_added_to_a_room() -> None:
    bench = Bench()
    await press(bench, "accounts", {"name": "Third", "room": EAST})
    third = next(a for a in bench.sim.world.accounts.values() if a.nickname == "Third")
    assert third.wxid in bench.sim.world.rooms[EAST].members


@pytest.mark.parametrize("msg_type", TYPES)
@rule
async def test_every_type_can_be_posted(msg_type: str) -> None:
    bench = Bench()
    message = {"chat": EAST, "sender": ANN, "msg_type": msg_type, "content": {"text": "x"}}
    assert (await press(bench, "say", message)).status == 200
    assert bench.receiver.entries()[0]["msg_type"] == msg_type


@rule
async def test_a_session_is_recorded_downloaded_and_replayed() -> None:
    bench, again = Bench(), Bench()
    await press(bench, "record/start", {})
    bench.sim.say(EAST, ANN, "hi")
    await press(bench, "record/stop", {})
    bench.sim.say(EAST, ANN, "not recorded")
    file = await call(bench.sim.app, "GET", "/sim/recording")
    assert "attachment" in file.headers["content-disposition"]
    await press(again, "replay", {"recording": file.body.decode(), "speed": 10})
    await again.clock.advance(1)
    assert [message.content for message in again.sim.ledger.messages] == [
        bench.sim.ledger.messages[0].content
    ]
    session = (await state(again))["status"]["session"]
    assert (session["replaying"], session["done"]) == (False, session["total"])


@rule
async def test_a_body_that_is_far_too_large_is_refused() -> None:
    body = json.dumps({"recording": "x" * MOST_BYTES}).encode()
    headers = {"content-type": "application/json"}
    answer = await call(Bench().sim.app, "POST", "/sim/replay", body=body, headers=headers)
    assert answer.status == 400
