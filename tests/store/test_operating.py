"""What an operator may do to a delivery (contract, section 2)."""

from __future__ import annotations

from bots import ANN, EAST, MIRROR, ONE, WEST, deliveries, make_bot, rule, said, states

from relay.store.sqlite import ask

HOUR = 3_600_000


@rule
async def test_what_failed_is_sent_again_when_it_is_retried() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        bot.simulator.world.leave(WEST, ONE)
        bot.simulator.say(EAST, ANN, "hello")
        await bot.work()
        await bot.store._db.write(
            lambda db: ask.every(db, "UPDATE deliveries SET state = 'failed', error = 'x', settle_at = NULL")
        )
        bot.simulator.world.join(WEST, ONE)
        await bot.store.retry([1], HOUR)
        await bot.work()
        row = (await deliveries(bot))[0]
        assert (said(bot, WEST), row["state"], row["attempts"]) == (["hello"], "accepted", 2)


@rule
async def test_what_expired_goes_out_when_it_is_retried() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        bot.simulator.say(EAST, ANN, "hello")
        await bot.simulator.settle()
        await bot.router.drain()
        bot.clock.jump(HOUR / 1000)
        await bot.store.settle_due()
        assert await states(bot) == ["expired"]
        assert [each.done for each in await bot.store.retry([1], HOUR)] == [True]
        await bot.work()
        assert said(bot, WEST) == ["hello"]


@rule
async def test_what_is_discarded_is_not_sent() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        bot.simulator.say(EAST, ANN, "hello")
        await bot.simulator.settle()
        await bot.router.drain()
        assert [each.done for each in await bot.store.discard([1])] == [True]
        await bot.work()
        assert (await states(bot), said(bot, WEST)) == (["discarded"], [])


@rule
async def test_what_was_delivered_can_be_neither_retried_nor_discarded() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        bot.simulator.say(EAST, ANN, "hello")
        await bot.work()
        await bot.pass_time(61)
        operated = [*await bot.store.retry([1], HOUR), *await bot.store.discard([1])]
        assert [each.done for each in operated] == [False, False]
        assert (await deliveries(bot))[0]["state"] == "delivered"


@rule
async def test_a_delivery_that_does_not_exist_is_told_apart() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        assert [each.before for each in await bot.store.retry([7], HOUR)] == [None]


@rule
async def test_what_is_retried_is_last_in_line() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        for text in ("first", "second"):
            bot.simulator.say(EAST, ANN, text)
        await bot.simulator.settle()
        await bot.router.drain()
        await bot.store._db.write(
            lambda db: ask.every(db, "UPDATE deliveries SET state = 'expired' WHERE id = 1")
        )
        await bot.store.retry([1], HOUR)
        await bot.work()
        assert said(bot, WEST) == ["second", "first"]
