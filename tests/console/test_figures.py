"""What operators are told of a bot that works: every number is one of something that happened."""

from __future__ import annotations

from bots import NORTH, REPLY, make_bot, rule
from sending.desk import LOST, Desk, ask_price, echo

from relay.console.metrics import written
from relay.console.snapshot import snapshot
from relay.testing import Bot
from relay.wire.answers import Answer

DAY = 86_400_000


async def numbers(bot: Bot) -> dict[str, float]:
    """Every sample by its name and labels, as it is written."""
    text = written(await snapshot(bot.store, bot.clock)).decode()
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def answering(desk: Desk) -> Bot:
    return make_bot(REPLY, transport=desk, configured=True)


@rule
async def test_every_attempt_is_counted_by_its_class_once_it_has_ended() -> None:
    desk = Desk(Answer(status=200, errcode=407), LOST)
    async with answering(desk) as bot:
        await ask_price(bot)
        await bot.work()
        await bot.pass_time(6)
        told = await numbers(bot)
        assert told['relay_attempts_total{class="throttled"}'] == 1
        assert told['relay_attempts_total{class="unknown"}'] == 1
        assert told['relay_attempts_total{class="taken"}'] == 0
        assert told["relay_pauses_total"] == 1


@rule
async def test_an_echo_is_timed_from_its_attempt() -> None:
    desk = Desk()
    async with answering(desk) as bot:
        await ask_price(bot)
        await bot.work()
        bot.clock.jump(2)
        await echo(bot, "2", api_send_id=desk.id_of())
        told = await numbers(bot)
        assert told['relay_echo_seconds_bucket{le="1.0"}'] == 0
        assert told['relay_echo_seconds_bucket{le="2.5"}'] == 1
        assert (told["relay_echo_seconds_count"], told["relay_echo_seconds_sum"]) == (1, 2)


@rule
async def test_how_long_the_first_of_each_state_is_there_is_told() -> None:
    desk = Desk(LOST)
    async with answering(desk) as bot:
        await ask_price(bot)
        await bot.work()
        await ask_price(bot, "2")
        await bot.router.drain()
        bot.clock.jump(20)
        told = await numbers(bot)
        assert told['relay_deliveries_oldest_seconds{state="unknown"}'] == 20
        assert told['relay_deliveries_oldest_seconds{state="queued"}'] == 20
        assert told['relay_deliveries_oldest_seconds{state="held"}'] == 0


@rule
async def test_a_delay_is_no_age() -> None:
    async with make_bot(REPLY + 'delay = "10m"', configured=True) as bot:
        bot.simulator.say(NORTH, "7881300000000001", "price")
        await bot.simulator.settle()
        await bot.router.drain()
        bot.clock.jump(300)
        assert (await numbers(bot))['relay_deliveries_oldest_seconds{state="queued"}'] == 0


@rule
async def test_late_answers_are_counted_anew_when_the_platforms_day_begins() -> None:
    async with make_bot() as bot:
        await bot.store.count("answers_late_total", 3)
        await bot.store.count("answers_late_total", 4)
        assert (await numbers(bot))["relay_answers_late_today"] == 7
        bot.clock.jump(DAY / 1000)
        await bot.store.count("answers_late_total", 1)
        told = await numbers(bot)
        assert (told["relay_answers_late_today"], told["relay_answers_late_total"]) == (1, 8)


@rule
async def test_an_outage_is_told_as_long_as_the_platform_is_not_there() -> None:
    desk = Desk(*[Answer(status=503, errcode=None)] * 20)
    async with answering(desk) as bot:
        for number in range(6):
            await ask_price(bot, str(number), chat_wxid=f"R:{number}")
        await bot.work()
        told = await numbers(bot)
        assert (told["relay_outage"], told["relay_platform_paused"]) == (1, 1)


@rule
async def test_what_was_recovered_and_what_was_removed_is_counted() -> None:
    async with make_bot() as bot:
        told = await numbers(bot)
        assert told["relay_messages_recovered_total"] == told["relay_repairs"] == told["relay_gaps"] == 0
        await bot.store.note_gap(bot.clock.now() - 10_000, bot.clock.now())
        assert (await numbers(bot))["relay_gaps"] == 1
        assert told["relay_database_bytes"] > told["relay_database_spare_bytes"]
