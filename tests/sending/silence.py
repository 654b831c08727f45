"""A bot that nobody lets listen for a while, and what is said meanwhile."""

from __future__ import annotations

from bots import (
    ANN,
    BEN,
    EAST,
    ROOMS,
)

from relay.simulator.fault import Fault, Kind
from relay.testing import Bot

SEND, LOG = "/wechat/sendMessage", "/wechat/chatLogs"
AFTER_THE_GAP = 6  # seconds in which what is live goes first


async def beat(bot: Bot) -> None:
    """The receiver gives a sign of life, as it does every second."""
    await bot.store.beat("receiver", 1, {})


async def listen(bot: Bot, seconds: float) -> None:
    """Let time pass with a receiver that lives."""
    for _ in range(int(seconds)):
        await bot.pass_time(1)
        await beat(bot)
    await bot.work()


async def miss(bot: Bot, chat: str, *texts: str, sender: str = ANN) -> None:
    """Something is said, and no callback of it arrives."""
    for text in texts:
        bot.simulator.faults.add(Fault(Kind.DROP, times=len(ROOMS)))
        bot.simulator.say(chat, sender, text)
        await bot.simulator.settle()
        bot.simulator.faults.clear()


async def be_deaf(bot: Bot, *texts: str, chat: str = EAST, seconds: float = 60) -> None:
    """No receiver lives for so long; these words are said meanwhile."""
    await beat(bot)
    bot.clock.jump(seconds / 2)
    await miss(bot, chat, *texts)
    bot.clock.jump(seconds / 2)
    await beat(bot)
    await listen(bot, AFTER_THE_GAP)


async def greet(bot: Bot, *chats: str) -> None:
    """Let the bot know these chats."""
    for chat in chats:
        bot.simulator.say(chat, BEN, "hello")
    await bot.work()


def log_calls(bot: Bot) -> int:
    return sum(1 for each in bot.simulator.ledger.requests if each.path == LOG)
