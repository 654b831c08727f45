"""What staff type is mirrored where that is asked for, and never what may be an echo (contract 4.3)."""

from __future__ import annotations

from pathlib import Path

import pytest
from bots import EAST, ONE, TWO, WEST, deliveries, entry, make_bot, receive, rule
from sending.desk import Desk, says

from relay.testing import Bot

MIRROR = f"""
[[plugins.group_mirror.routes]]
name = "all"
between = ["{EAST}", "{WEST}"]
include_own = true
"""
ORDERED = """
from relay import Context, Forward, Message, Plugin

plugin = Plugin("mine")

@plugin.on_message()
async def forward(message: Message, ctx: Context) -> Forward:
    return Forward("%s", account="%s")
"""


async def mirrored(desk: Desk) -> Bot:
    """A customer's message in East has been forwarded to West."""
    bot = make_bot(MIRROR, transport=desk, configured=True)
    await receive(bot, entry("1", "hi"))
    await bot.work()
    assert len(desk.requests) == 1
    return bot


def respelled(svrid: str) -> dict[str, object]:
    """The forward as it comes back, its members in another order."""
    back = entry(svrid, "hi", chat_wxid=WEST, from_wxid=ONE)
    return {**back, "content": {"items": [{"text": "hi", "type": "text"}]}}


@pytest.mark.parametrize("sender_first", [False, True])
@rule
async def test_an_echo_that_is_spelled_otherwise_is_an_echo(sender_first: bool) -> None:
    desk = Desk()
    async with await mirrored(desk) as bot:
        await receive(bot, respelled("2"))
        if sender_first:
            await bot.sender._settle_signals()
        await bot.work()
        assert len(desk.requests) == 1


@rule
async def test_an_echo_that_comes_twice_is_twice_an_echo() -> None:
    desk = Desk()
    async with await mirrored(desk) as bot:
        for svrid in "23":
            await receive(bot, respelled(svrid))
            await bot.work()
        assert len(desk.requests) == 1


@rule
async def test_an_echo_that_comes_hours_late_is_an_echo() -> None:
    desk = Desk()
    async with await mirrored(desk) as bot:
        await bot.pass_time(5 * 3600)
        await receive(bot, respelled("2"))
        await bot.work()
        assert len(desk.requests) == 1


@rule
async def test_what_was_refused_for_its_rate_may_come_back_all_the_same() -> None:
    desk = Desk(says(407))
    async with await mirrored(desk) as bot:
        await receive(bot, respelled("2"))
        await bot.router.drain()
        assert len(await deliveries(bot)) == 1


@rule
async def test_while_an_echo_is_awaited_nothing_that_staff_type_there_is_mirrored() -> None:
    desk = Desk()
    async with await mirrored(desk) as bot:
        await receive(bot, entry("2", "quite another thing", chat_wxid=WEST, from_wxid=ONE))
        await bot.work()
        assert len(desk.requests) == 1


@rule
async def test_what_staff_type_is_mirrored_once_the_echo_has_come() -> None:
    desk = Desk()
    async with await mirrored(desk) as bot:
        await receive(bot, respelled("2"))
        await bot.work()
        await receive(bot, entry("3", "typed on the phone", chat_wxid=WEST, from_wxid=ONE))
        await bot.work()
        assert desk.texts == ["hi", "typed on the phone"]


@rule
async def test_forwards_by_another_account_keep_their_order_while_it_has_not_heard_all(
    tmp_path: Path,
) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "mine.py").write_text(ORDERED % (WEST, TWO))
    desk, toml = Desk(), '[plugins]\norder = ["mine"]\n'
    async with make_bot(toml, accounts=(ONE, TWO), folder=tmp_path, transport=desk, configured=True) as bot:
        for svrid, text in (("1", "first"), ("2", "second")):
            await receive(bot, entry(svrid, text, wx_svrid=f"w{svrid}"))
        await bot.work()
        for svrid, text in (("2", "second"), ("1", "first")):
            await receive(bot, entry(f"1{svrid}", text, wx_svrid=f"w{svrid}"), account=TWO)
            await bot.work()
        assert desk.texts == ["first", "second"]
