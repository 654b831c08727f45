"""What plugins are called for beside messages: each once, in one transaction with what they decide."""

from __future__ import annotations

from pathlib import Path

from bots import ANN, EAST, MIRROR, deliveries, make_bot, receive, rule, said

from relay.testing import Bot

PLUGIN = """
from relay import Context, Conversation, Delivery, Event, Plugin, Reply, Send

plugin = Plugin("clock")
EAST = "R:10950000000000001"

@plugin.on_message(types=["text"])
async def ask(message, ctx):
    if message.text == "ask":
        return Reply("well?", then=ask, within="2m", on_timeout=late)

async def late(conversation: Conversation, ctx: Context):
    waited = (conversation.until - conversation.since).total_seconds()
    return Reply(f"no answer to {conversation.message} in {waited:.0f} s")

@plugin.every("10m")
async def tick(ctx: Context):
    number = await ctx.state.increment("ticks")
    return Send(EAST, f"tick {number}")

@plugin.every("1d", at="09:00")
async def daily(ctx: Context):
    return Send(EAST, f"daily {ctx.now:%d %H:%M}")

@plugin.on_event("contacts")
async def contacts(event: Event, ctx: Context):
    return Send(EAST, f"{event.type}: {event.content['name']}")

@plugin.on_delivery(states=["delivered", "failed", "discarded"])
async def moved(delivery: Delivery, ctx: Context):
    told = f"{delivery.plugin} {delivery.id} {delivery.state} {delivery.evidence} of {delivery.message}"
    return Send(EAST, told)
"""


def clock(folder: Path, text: str = PLUGIN, toml: str = "") -> Bot:
    plugins = folder / "plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "clock.py").write_text(text, "utf-8")
    return make_bot(toml, folder=folder, configured=True)


async def heard(bot: Bot) -> Bot:
    """The bot, once it knows that it has an ear in East."""
    bot.simulator.say(EAST, ANN, "hello")
    await bot.work()
    return bot


def told(bot: Bot, word: str) -> list[str]:
    return [text for text in said(bot, EAST) if text.startswith(word)]


@rule
async def test_a_clock_ticks_in_its_rhythm_and_what_it_counts_is_stored_with_it(tmp_path: Path) -> None:
    async with clock(tmp_path) as bot:
        await heard(bot)
        for _ in range(3):
            await bot.pass_time(600)
        assert told(bot, "tick") == ["tick 1", "tick 2", "tick 3"]


@rule
async def test_a_time_out_calls_its_handler_once(tmp_path: Path) -> None:
    async with clock(tmp_path) as bot:
        bot.simulator.say(EAST, ANN, "ask")
        await bot.work()
        await bot.pass_time(119)
        assert told(bot, "no answer") == []
        await bot.pass_time(1)
        await bot.pass_time(60)
        assert told(bot, "no answer") == ["no answer to m1 in 120 s"]


@rule
async def test_an_event_goes_to_who_registered_for_its_type(tmp_path: Path) -> None:
    async with clock(tmp_path) as bot:
        await heard(bot)
        for kind in ("contacts", "rooms"):
            await receive(bot, {"name": kind}, kind=kind)
        await bot.work()
        assert told(bot, "contacts") == ["contacts: contacts"]


@rule
async def test_changes_of_others_deliveries_are_told_and_never_ones_own(tmp_path: Path) -> None:
    async with clock(tmp_path, toml=MIRROR) as bot:
        await heard(bot)
        await bot.pass_time(61)
        await bot.pass_time(61)
        assert told(bot, "group_mirror") == ["group_mirror d1 delivered echo of m1"]
        assert [row["plugin"] for row in await deliveries(bot)] == ["group_mirror", "clock"]
