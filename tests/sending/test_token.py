"""One token for everybody: fetched once, early enough, and not again by those who waited."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from bots import eventually, rule

from relay.sending.attempts import NoAnswer
from relay.sending.client import Client, Credentials
from relay.simulator.clockwork import ManualClock
from relay.wire.answers import Answer, read_answer


class Platform:
    """Counts tokens; answers 110 to all but the newest, and tokens only when `gate` is open."""

    def __init__(self, *token_answers: Answer | NoAnswer) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.token_answers = list(token_answers)
        self.tokens = 0
        self.valid = ""
        self.status = 200
        self.used: list[str] = []

    async def request(
        self, method: str, path: str, *, body: bytes = b"", query: Mapping[str, str] | None = None
    ) -> Answer | NoAnswer:
        if path == "/oauth/token":
            return await self._token()
        token = json.loads(body)["access_token"]
        self.used.append(token)
        if token == self.valid:
            return read_answer(200, b'{"errcode":0}')
        refusal = {"errcode": 110, "message": f"{token} and secret are not known"}
        return read_answer(self.status, json.dumps(refusal).encode())

    async def _token(self) -> Answer | NoAnswer:
        self.tokens += 1
        number = self.tokens
        await self.gate.wait()
        if self.token_answers:
            return self.token_answers.pop(0)
        self.valid = f"t{number}"
        body = {"errcode": 0, "data": {"access_token": self.valid, "expires_in": 7200}}
        return read_answer(200, json.dumps(body).encode())

    async def close(self) -> None:
        """There is nothing to let go of."""


def client(platform: Platform, clock: ManualClock | None = None) -> Client:
    return Client(platform, Credentials("app", "secret"), clock or ManualClock())


def compose(token: str) -> bytes:
    return json.dumps({"access_token": token}).encode()


async def ask(asking: Client, times: int) -> list[Any]:
    answers = await asyncio.gather(*(asking.post("/x", compose) for _ in range(times)))
    return [each.errcode if isinstance(each, Answer) else each for each in answers]


@rule
async def test_requests_side_by_side_share_one_token() -> None:
    platform = Platform()
    assert await ask(client(platform), 20) == [0] * 20
    assert platform.tokens == 1


@rule
async def test_a_token_is_replaced_before_its_end() -> None:
    platform, clock = Platform(), ManualClock()
    asking = client(platform, clock)
    for seconds, tokens in ((0, 1), (5759, 1), (1, 2), (5759, 2)):
        clock.jump(seconds)
        assert await ask(asking, 1) == [0]
        assert platform.tokens == tokens


@rule
async def test_requests_refused_together_fetch_one_new_token_together() -> None:
    platform = Platform()
    asking = client(platform)
    await ask(asking, 1)
    platform.valid = "taken by another program"
    assert await ask(asking, 20) == [0] * 20
    assert platform.tokens == 2


@rule
async def test_a_token_that_is_refused_at_once_is_not_asked_for_a_third_time() -> None:
    platform = Platform()
    asking = client(platform)
    fresh = await asking._current_token()
    platform.token_answers = [read_answer(200, b'{"errcode":0,"access_token":"bad"}')]
    platform.valid = f"not {fresh}"
    assert await ask(asking, 1) == [110]
    assert platform.used == ["t1", "bad"]


@rule
async def test_whoever_waits_for_a_token_is_told_what_the_first_was_told() -> None:
    """An outage must cost everybody one time-out, not everybody one after the other."""
    platform = Platform(NoAnswer(sent=True, error="no answer within 10 s"))
    platform.gate.clear()
    asking = client(platform)
    waiting = asyncio.create_task(ask(asking, 20))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    platform.gate.set()
    assert await waiting == [NoAnswer(sent=False, error="no token: no answer within 10 s")] * 20
    assert platform.tokens == 1
    assert await ask(asking, 1) == [0]


@rule
async def test_who_stops_waiting_takes_the_token_from_nobody() -> None:
    platform = Platform()
    platform.gate.clear()
    asking = client(platform)
    first, second = (asyncio.create_task(ask(asking, 1)) for _ in range(2))

    async def both_wait() -> bool:
        return platform.tokens == 1

    await eventually(both_wait)
    first.cancel()
    await asyncio.wait({first})
    platform.gate.set()
    assert await second == [0]


@pytest.mark.parametrize("code", [101, 102, 103, 113, 114])
@rule
async def test_who_is_refused_for_who_he_is_hears_that(code: int) -> None:
    platform = Platform(read_answer(200, b'{"errcode":%d}' % code))
    assert await ask(client(platform), 1) == [code]
    assert platform.used == []


@pytest.mark.parametrize("body", [b"busy", b'{"errcode":1001}', b'{"errcode":0}'])
@rule
async def test_without_a_token_nothing_is_sent(body: bytes) -> None:
    platform = Platform(read_answer(200, body))
    [answer] = await ask(client(platform), 1)
    assert isinstance(answer, NoAnswer)
    assert not answer.sent


@rule
async def test_a_server_that_fails_is_not_asked_again_whatever_it_says() -> None:
    """It may have done what it was asked for (contract 4.6)."""
    platform = Platform()
    asking = client(platform)
    await ask(asking, 1)
    platform.valid, platform.status = "another", 502
    assert await ask(asking, 1) == [110]
    assert (platform.used, platform.tokens) == (["t1", "t1"], 1)


@rule
async def test_whose_token_was_replaced_by_then_takes_the_new_one() -> None:
    platform = Platform()
    asking = client(platform)
    old = await asking._current_token()
    assert isinstance(old, str)
    new = await asking._new_token(old)
    assert await asking._new_token(old) == new
    assert platform.tokens == 2


@rule
async def test_no_secret_leaves_the_client_in_the_words_of_the_platform() -> None:
    platform = Platform()
    asking = client(platform)
    platform.token_answers = [
        read_answer(200, b'{"errcode":0,"access_token":"token-%d"}' % number) for number in (1, 2)
    ]
    answer = await asking.post("/x", compose)
    assert isinstance(answer, Answer)
    assert answer.message == "*** and *** are not known"
    platform.token_answers = [read_answer(200, b'{"errcode":102,"message":"not secret, nor token-1"}')]
    answer = await asking.post("/x", compose)
    assert isinstance(answer, Answer)
    assert answer.message == "not ***, nor ***"


def test_credentials_do_not_print_their_secret() -> None:
    assert "secret'" not in repr(Credentials("app", "secret"))
