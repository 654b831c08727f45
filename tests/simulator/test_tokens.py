"""Access: secrets, tokens, methods and bodies."""

from __future__ import annotations

from typing import Any

import pytest
from simulator.bench import Bench, Json, call, rule

from relay.simulator.habits import Habits

RIGHT: Json = {"app_id": "sim-app", "app_secret": "sim-secret", "grand_type": "client_credentials"}


async def list_with(bench: Bench, token: str) -> Any:
    query = {"app_id": "sim-app", "access_token": token}
    return (await call(bench.sim.app, "GET", "/wechat/list", query=query)).json["errcode"]


@rule
async def test_a_token_comes_with_its_life_in_seconds() -> None:
    answer = await Bench().post("/oauth/token", RIGHT)
    assert answer["errcode"] == 0
    assert answer["data"]["expires_in"] == 7200


@rule
async def test_the_correct_spelling_of_grand_type_is_accepted_too() -> None:
    fields = {"app_id": "sim-app", "app_secret": "sim-secret", "grant_type": "client_credentials"}
    assert (await Bench().post("/oauth/token", fields))["errcode"] == 0


@rule
async def test_a_token_may_come_at_the_root() -> None:
    answer = await Bench(Habits(token_in_data=False)).post("/oauth/token", RIGHT)
    assert answer["access_token"]
    assert "data" not in answer


@pytest.mark.parametrize(
    ("wrong", "errcode"),
    [
        ({"app_id": "x"}, 101),
        ({"app_secret": "x"}, 102),
        ({"app_secret": 7}, 406),
        ({"grand_type": "x"}, 103),
    ],
)
@rule
async def test_wrong_credentials_are_told_apart(wrong: Json, errcode: int) -> None:
    assert (await Bench().post("/oauth/token", RIGHT | wrong))["errcode"] == errcode


@rule
async def test_a_token_lives_two_hours() -> None:
    bench = Bench()
    token = await bench.token()
    bench.clock.jump(7199.999)
    assert await list_with(bench, token) == 0
    bench.clock.jump(0.001)
    assert await list_with(bench, token) == 111


@rule
async def test_a_new_token_ends_the_old_one() -> None:
    bench = Bench()
    old = await bench.token()
    new = await bench.token()
    assert [await list_with(bench, old), await list_with(bench, new)] == [110, 0]


@rule
async def test_an_old_token_may_live_on() -> None:
    bench = Bench(Habits(new_token_ends_old=False))
    old = await bench.token()
    await bench.token()
    assert await list_with(bench, old) == 0


@rule
async def test_a_wrong_token_and_an_empty_one_are_told_apart() -> None:
    bench = Bench()
    assert [await list_with(bench, "x"), await list_with(bench, "")] == [110, 112]


@rule
async def test_another_app_id_is_refused_everywhere() -> None:
    bench = Bench()
    answer = await call(bench.sim.app, "GET", "/wechat/list", query={"access_token": await bench.token()})
    assert answer.json["errcode"] == 101


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/wechat/sendMessage"), ("GET", "/oauth/token"), ("POST", "/wechat/list")]
)
@rule
async def test_the_wrong_method_is_405(method: str, path: str) -> None:
    answer = await call(Bench().sim.app, method, path)
    assert (answer.status, answer.json["errcode"]) == (200, 405)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"app_id=1", b"\xff{}", b'"x"', b"{} {}"])
@rule
async def test_a_body_that_is_no_json_object_is_406(body: bytes) -> None:
    assert (await Bench().post("/wechat/sendMessage", body))["errcode"] == 406


@rule
async def test_everything_is_there_under_oapi_too() -> None:
    assert (await Bench().post("/oapi/oauth/token", RIGHT))["errcode"] == 0


@rule
async def test_every_call_is_on_record_with_its_answer() -> None:
    bench = Bench()
    await bench.post("/oauth/token", RIGHT)
    await bench.post("/oauth/token", {})
    assert [(r.path, r.errcode) for r in bench.sim.ledger.requests] == [
        ("/oauth/token", 0),
        ("/oauth/token", 101),
    ]
