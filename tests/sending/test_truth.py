"""Whatever goes wrong on the way, no delivery takes effect twice, none is out of order, and no state lies."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from bots import ANN, EAST, NORTH, ONE, WEST, deliveries, make_bot, rule

from relay.simulator.fault import Fault, Kind, When
from relay.simulator.ledger import Message
from relay.testing import Bot

SEND, LOG = "/wechat/sendMessage", "/wechat/chatLogs"
RULE = """
[[plugins.keyword_reply.rules]]
name = "price"
contains = ["price"]
reply = "{text}!"
"""
CHATS = (EAST, WEST, NORTH)
TOOK_EFFECT = ("accepted", "delivered")


class Chance:
    """One run of bad luck, the same for the same seed."""

    def __init__(self, bot: Bot, seed: int) -> None:
        self._bot = bot
        self._random = random.Random(seed)
        self._said = 0

    async def step(self) -> None:
        kind = self._random.choice(("say", "say", "say", "wait", "wait", "fault", "lose", "restart", "beat"))
        await getattr(self, f"_{kind}")()

    async def _say(self) -> None:
        self._said += 1
        words = self._random.choice(("price", "price", "hello"))
        self._bot.simulator.say(self._random.choice(CHATS), ANN, f"{words} {self._said:04}")
        await self._bot.work()

    async def _wait(self) -> None:
        await self._bot.pass_time(self._random.choice((0.5, 5, 20, 31, 70)))

    async def _beat(self) -> None:
        await self._bot.store.beat("receiver", 1, {})

    async def _restart(self) -> None:
        if self._random.random() < 0.3:
            await self._bot.restart()

    async def _lose(self) -> None:
        """A request that took effect, and of which neither answer nor echo comes."""
        self._bot.simulator.faults.add(Fault(Kind.CLOSE, when=When.AFTER, path=SEND))
        self._bot.simulator.faults.add(Fault(Kind.DROP, echoes_only=True))

    async def _fault(self) -> None:
        self._bot.simulator.faults.add(self._a_fault())

    def _a_fault(self) -> Fault:
        times = self._random.choice((1, 1, 2, 4))
        when = self._random.choice((When.BEFORE, When.AFTER))
        return self._random.choice(
            (
                Fault(Kind.CLOSE, when=when, path=SEND, times=times),
                Fault(Kind.HTTP_STATUS, when=when, path=SEND, times=times),
                Fault(Kind.NOT_JSON, when=when, path=SEND, times=times),
                Fault(Kind.ERRCODE, when=when, path=SEND, times=times),
                Fault(Kind.RATE_LIMIT, path=SEND, seconds=3),
                Fault(Kind.DROP, times=times),
                Fault(Kind.DROP, echoes_only=True, times=times),
                Fault(Kind.LATE, echoes_only=True, times=times, seconds=self._random.choice((10, 40, 90))),
                Fault(Kind.DUPLICATE, times=times, seconds=7),
                Fault(Kind.ERRCODE, path=LOG, errcode=407, times=times),
                Fault(Kind.HTTP_STATUS, path=LOG, times=times),
            )
        )


async def calm_down(bot: Bot) -> None:
    """Nothing goes wrong any more, and everything that waits for time gets it."""
    bot.simulator.faults.clear()
    for _ in range(30):
        await bot.store.beat("receiver", 1, {})
        await bot.pass_time(30)


def delivery_of(effect: Message) -> str:
    assert effect.cause is not None
    return "d" + str(effect.cause.api_send_id).partition("-")[2].partition(".")[0]


def check(bot: Bot, rows: list[dict[str, object]]) -> None:
    effects = bot.simulator.ledger.effects(account=ONE, kind="send")
    times = Counter(delivery_of(each) for each in effects)
    assert [each for each, count in times.items() if count > 1] == [], "took effect twice"
    for row in rows:
        took_effect = times[str(row["id"])] == 1
        if row["state"] in TOOK_EFFECT:
            assert took_effect, f"{row} had no effect"
        else:
            assert row["state"] in ("held", "failed", "expired"), row
            assert not took_effect or row["state"] == "held", f"{row} had an effect"
    for chat in CHATS:
        decided = [int(delivery_of(each)[1:]) for each in effects if each.to == chat]
        assert decided == sorted(decided), f"out of order in {chat}"


async def suffer(seed: int, steps: int) -> None:
    async with make_bot(RULE, configured=True) as bot:
        chance = Chance(bot, seed)
        for _ in range(steps):
            await chance.step()
        await calm_down(bot)
        check(bot, await deliveries(bot))


@pytest.mark.parametrize("seed", range(4))
@rule
async def test_no_state_lies_whatever_goes_wrong(seed: int) -> None:
    await suffer(seed, 30)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 160))
@rule
async def test_no_state_lies_in_many_more_cases(seed: int) -> None:
    await suffer(seed, 120)
