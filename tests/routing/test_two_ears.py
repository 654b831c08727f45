"""Two of our accounts in one room: what one of them hears has its turn after what the other one heard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bots import ONE, TWO, entry, eventually, make_bot, receive, rule

from relay.testing import Bot

PLUGIN = """
import asyncio
import pathlib
from relay import Context, Message, Plugin, Reply

plugin = Plugin("form")
begun, gate = pathlib.Path("{folder}/begun"), pathlib.Path("{folder}/gate")

@plugin.on_message(types=["text"])
async def begin(message: Message, ctx: Context) -> object:
    return Reply("which?", then=which) if message.text == "order" else Reply(f"no answer: {{message.text}}")

async def which(message: Message, ctx: Context) -> object:
    begun.write_text(message.text)
    while message.text == "a lamp" and not gate.exists():
        await asyncio.sleep(0)
    return Reply(f"answer: {{message.text}}")
"""


@asynccontextmanager
async def slowly_answered(folder: Path) -> AsyncIterator[Bot]:
    """A bot with two accounts in East that is just being answered: the handler ends once there is a gate."""
    (folder / "plugins").mkdir()
    (folder / "plugins" / "form.py").write_text(PLUGIN.format(folder=folder), "utf-8")
    async with make_bot(accounts=(ONE, TWO), folder=folder, configured=True) as bot:
        await receive(bot, entry("1", "order"))
        await bot.router.drain()
        await receive(bot, entry("2", "a lamp"))

        async def answered() -> bool:
            await bot.router.step()
            return (folder / "begun").exists()

        await eventually(answered)
        yield bot


async def decided(bot: Bot, message: int) -> list[object]:
    return [each["decision"] for each in await bot.store.trace(message) if each["plugin"] == "form"]


@rule
async def test_a_question_is_answered_once_whichever_of_our_accounts_hears_what_comes_next(
    tmp_path: Path,
) -> None:
    async with slowly_answered(tmp_path) as bot:
        await receive(bot, entry("12", "a chair"), account=TWO)  # the acting account never hears it
        bot.clock.jump(6)
        for _ in range(10):
            await bot.router.step()
        (tmp_path / "gate").touch()
        await bot.router.drain()
        assert [await decided(bot, number) for number in (1, 2, 3)] == [
            ["ask", "reply"],
            ["answer", "reply"],
            ["reply"],
        ]


@rule
async def test_whoever_waits_for_the_other_ear_has_its_turn_though_that_one_hears_more(
    tmp_path: Path,
) -> None:
    async with slowly_answered(tmp_path) as bot:
        await receive(bot, entry("12", "a chair"), account=TWO)
        for number in range(3, 6):
            await receive(bot, entry(str(number), f"more {number}"))
        bot.clock.jump(6)
        (tmp_path / "gate").touch()
        seen: list[str] = []

        async def routed() -> bool:
            await bot.router.step()
            waiting = {
                row["svrid"] for row in await bot.store.messages(limit=10) if row["state"] == "waiting"
            }
            seen.extend(each for each in ("12", "5") if each not in waiting and each not in seen)
            return not waiting

        await eventually(routed)
        assert seen == ["12", "5"]
