"""Every way in which a request can end, over a real socket, and what follows (design, section 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from email.utils import formatdate

import pytest
from bots import MIRROR, NORTH, REPLY, WEST, deliveries, entry, make_bot, receive, rule, states
from sending.servers import (
    Behaviour,
    Split,
    answer,
    closes_after_the_request,
    drips,
    free_port,
    never_answers,
    refuses_several,
    resets_after_a_byte,
    resets_after_the_request,
    says,
    serve,
    speaks_no_tls,
)

from relay.sending.attempts import asked_rest
from relay.sending.client import HttpTransport
from relay.testing import Bot
from relay.wire.answers import read_answer

LIMIT = 0.25  # seconds for a whole call where no answer is to come
PATIENCE = 10.0  # seconds where one is, however busy the machine

GOOD = answer(b'{"errcode":0}')

ENDINGS: dict[str, tuple[Behaviour, str, str]] = {
    "taken": (GOOD, "taken", "accepted"),
    "taken, in a string": (says("0"), "taken", "accepted"),
    "reset after a byte": (resets_after_a_byte, "unknown", "unknown"),
    "reset after the request": (resets_after_the_request, "unknown", "unknown"),
    "closed after the request": (closes_after_the_request, "unknown", "unknown"),
    "no answer": (never_answers, "unknown", "unknown"),
    "an answer in drops": (drips, "unknown", "unknown"),
    "a cut answer": (answer(b'{"errcode":0}', length=100), "unknown", "unknown"),
    "half an answer": (answer(b'{"errcode":0'), "unknown", "unknown"),
    "an empty answer": (answer(b""), "unknown", "unknown"),
    "no JSON": (answer(b"<html>busy</html>"), "unknown", "unknown"),
    "no errcode": (answer(b"{}"), "unknown", "unknown"),
    "an endless answer": (answer(b'{"errcode":0,"x":"' + b"x" * 5_000_000 + b'"}'), "unknown", "unknown"),
    "500": (answer(b"", 500), "unknown", "unknown"),
    "502 with errcode 0": (says(0, 502), "unknown", "unknown"),
    "404 with errcode 0": (says(0, 404), "unknown", "unknown"),
    "500 with errcode 406": (says(406, 500), "unknown", "unknown"),
    "1001": (says(1001), "unknown", "unknown"),
    "an errcode nobody documented": (says(999), "unknown", "unknown"),
    "405": (says(405), "refused", "failed"),
    "406": (says(406), "refused", "failed"),
    "406 in a string, as 400": (says("406", 400), "refused", "failed"),
    "407": (says(407), "throttled", "queued"),
    "429": (answer(b"slow down", 429), "throttled", "queued"),
    "101": (says(101), "not_executed", "queued"),
    "102": (says(102), "not_executed", "queued"),
    "103": (says(103), "not_executed", "queued"),
    "113": (says(113), "not_executed", "queued"),
    "114": (says(114), "not_executed", "queued"),
    "110 for ever": (says(110), "not_executed", "queued"),
}


@asynccontextmanager
async def connected(url: str, toml: str = MIRROR, limit: float = PATIENCE) -> AsyncIterator[Bot]:
    transport = Split(HttpTransport(url, limit))
    async with make_bot(toml, transport=transport, configured=True) as bot:
        await receive(bot, entry("1", "what is the price?"))
        await bot.router.drain()
        try:
            yield bot
        finally:
            await transport.close()


async def outcomes(bot: Bot) -> list[tuple[str, str | None]]:
    return await bot.store._db.read(
        lambda db: [
            (str(row[0]), row[1]) for row in db.execute("SELECT outcome, error FROM attempts ORDER BY 1, 2")
        ]
    )


@pytest.mark.parametrize("name", ENDINGS)
@rule
async def test_how_a_request_ends_decides_what_may_follow(name: str) -> None:
    behaviour, outcome, state = ENDINGS[name]
    limit = LIMIT if outcome in ("unknown", "not_sent") else PATIENCE
    async with serve(behaviour) as url, connected(url, limit=limit) as bot:
        await bot.work()
        assert [each for each, _ in await outcomes(bot)] == [outcome]
        assert await states(bot) == [state]


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "http://nowhere.invalid", "http://127.0.0.1:1x"])
@rule
async def test_where_nobody_is_reached_nothing_was_sent(url: str) -> None:
    async with connected(url.format(port=free_port())) as bot:
        await bot.work()
        assert [each for each, _ in await outcomes(bot)] == ["not_sent"]
        assert await states(bot) == ["queued"]


@pytest.mark.parametrize("behaviour", [speaks_no_tls, never_answers])
@rule
async def test_where_tls_does_not_come_about_nothing_was_sent(behaviour: Behaviour) -> None:
    async with serve(behaviour) as url, connected(url.replace("http:", "https:"), limit=LIMIT) as bot:
        await bot.work()
        assert [each for each, _ in await outcomes(bot)] == ["not_sent"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@rule
async def test_a_redirect_is_not_followed(status: int) -> None:
    elsewhere = answer(b'{"errcode":0}', status, "Location: /elsewhere\r\n")
    async with serve(elsewhere, GOOD) as url, connected(url) as bot:
        await bot.work()
        assert [each for each, _ in await outcomes(bot)] == ["unknown"]


@rule
async def test_a_refused_token_is_replaced_and_the_request_made_once_more() -> None:
    async with serve(says(111), GOOD) as url, connected(url) as bot:
        await bot.work()
        assert await states(bot) == ["accepted"]
        assert [each for each, _ in await outcomes(bot)] == ["taken"]
        transport = bot._transport
        assert isinstance(transport, Split)
        assert transport.tokens == 2


BOTH = MIRROR.replace(f'"{WEST}"', f'"{WEST}", "{NORTH}"')


@pytest.mark.parametrize("code", [405, 406])
@rule
async def test_a_batch_that_is_refused_is_tried_one_by_one(code: int) -> None:
    async with serve(refuses_several(code, NORTH)) as url, connected(url, BOTH) as bot:
        await bot.work()
        assert {row["target"]: row["state"] for row in await deliveries(bot)} == {
            WEST: "accepted",
            NORTH: "failed",
        }
        assert [each for each, _ in await outcomes(bot)] == ["refused"] * 3 + ["taken"]


@pytest.mark.parametrize(
    ("data", "state"),
    [
        ([{"idx": 0, "api_send_svrid": "a,b,c"}], "accepted"),
        ([{"idx": "0"}], "accepted"),
        ([], "failed"),
        ([{"idx": 1, "api_send_svrid": "a,b,c"}], "failed"),
        (None, "failed"),
    ],
)
@rule
async def test_a_send_is_taken_only_if_its_idx_is_named(data: object, state: str) -> None:
    async with serve(says(0, data=data)) as url, connected(url, REPLY) as bot:
        await bot.work()
        assert await states(bot) == [state]


@rule
async def test_an_error_holds_neither_address_nor_token() -> None:
    async with serve(resets_after_the_request) as url, connected(url) as bot:
        await bot.work()
        [(_, error)] = await outcomes(bot)
        assert error is not None
        assert "127.0.0.1" not in error
        assert "t1" not in error


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_a_rest_until_a_date_is_as_long_as_the_platforms_own_clock_says(hours: int) -> None:
    now, told = 1_700_000_000, 1_700_000_000 + 3_600 * hours
    answer = replace(
        read_answer(429, b"{}"),
        retry_after=formatdate(told + 60, usegmt=True),
        date=formatdate(told, usegmt=True),
    )
    assert asked_rest(answer, now * 1_000) == 60_000
