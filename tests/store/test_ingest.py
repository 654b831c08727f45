"""The same thing pushed again is known, whatever it is known by and however long ago it came."""

from __future__ import annotations

from typing import Any

import pytest
from bots import BEN, ONE, TWO, WEST, entry, make_bot, messages, receive, rule

WX = "7000000000000000001"


@pytest.mark.parametrize(
    "again",
    [
        entry("1"),
        entry("1", text="another spelling", msg_time=5),
        entry("1", wx_svrid=WX),
    ],
)
@rule
async def test_one_svrid_at_one_account_is_one_message(again: dict[str, Any]) -> None:
    async with make_bot() as bot:
        await receive(bot, entry("1"))
        await bot.restart()
        await receive(bot, again, again)
        assert len(await messages(bot)) == 1
        assert (await bot.store.counters())["duplicates_total"] == 2


@rule
async def test_one_svrid_at_two_accounts_is_two_messages() -> None:
    async with make_bot() as bot:
        await receive(bot, entry("1"))
        await receive(bot, entry("1"), account=TWO)
        assert [row["account"] for row in await messages(bot)] == [ONE, TWO]


@rule
async def test_of_many_that_come_at_once_each_is_kept_once() -> None:
    async with make_bot() as bot:
        await receive(bot, *(entry(str(n)) for n in range(1, 51)))
        await receive(bot, *(entry(str(n // 2)) for n in range(60, 200)))
        kept = [row["svrid"] for row in await bot.store.messages(limit=500)]
        assert sorted(kept, key=str) == sorted(str(n) for n in range(1, 100))
        assert (await bot.store.counters())["duplicates_total"] == 91


@pytest.mark.parametrize(
    ("other", "kept"), [(entry("", "other words", wx_svrid=WX), 1), (entry("", wx_svrid="8"), 2)]
)
@rule
async def test_without_svrid_the_wx_svrid_tells_messages_apart(other: dict[str, Any], kept: int) -> None:
    async with make_bot() as bot:
        await receive(bot, entry("", wx_svrid=WX), other)
        assert len(await messages(bot)) == kept


@pytest.mark.parametrize(
    ("difference", "kept"),
    [
        ({}, 1),
        ({"user_id": "what does not count"}, 1),
        ({"text": "other words"}, 2),
        ({"msg_time": 5}, 2),
        ({"from_wxid": BEN}, 2),
        ({"chat_wxid": WEST}, 2),
        ({"msg_type": "link"}, 2),
    ],
)
@rule
async def test_without_any_id_a_hash_of_what_was_said_tells_messages_apart(
    difference: dict[str, Any], kept: int
) -> None:
    async with make_bot() as bot:
        await receive(bot, entry(""), entry("", **difference))
        assert len(await messages(bot)) == kept


@rule
async def test_neighbouring_fields_of_the_hash_do_not_run_into_each_other() -> None:
    async with make_bot() as bot:
        await receive(
            bot, entry("", chat_wxid="R:12", from_wxid="3"), entry("", chat_wxid="R:1", from_wxid="23")
        )
        assert len(await messages(bot)) == 2
