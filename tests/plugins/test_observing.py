"""`observe = true`: what a rule, route or plugin would do is told and counted, and nothing is done."""

from __future__ import annotations

from pathlib import Path

import pytest
from bots import ANN, EAST, NORTH, ONE, WEST, Row, make_bot, receive, rule, said
from plugins.lists import routes, rules

from relay.config import load
from relay.console.metrics import written
from relay.console.snapshot import snapshot
from relay.testing import SECRETS, Bot

PLUGIN = """
from relay import Plugin, Reply, Stop

plugin = Plugin("shadow")


@plugin.on_message()
async def decide(message, ctx):
    times = await ctx.state.increment("times")
    return [Reply(f"{times} {ctx.dry_run}"), Stop()]
"""


async def answers(bot: Bot, *texts: str) -> list[str]:
    before = len(said(bot, EAST))
    for text in texts:
        bot.simulator.say(EAST, ANN, text)
        await bot.work()
    return [each for each in said(bot, EAST)[before:] if each not in texts]


async def go_live(bot: Bot) -> None:
    """Observe no more, from the next start on."""
    path = bot.folder / "bot.toml"
    path.write_text(path.read_text("utf-8").replace("observe = true", ""), "utf-8")
    bot.config = load(path, SECRETS)
    await bot.restart()


async def would(bot: Bot) -> list[tuple[str, str]]:
    lines = await bot.store.trace(1)
    return [(str(each["rule"]), str(each["reason"])) for each in lines if each["decision"] == "would"]


WATCHED = {"name": "watched", "reply": "never", "observe": True, "cooldown": "10m"}


@rule
async def test_an_observing_rule_sends_nothing_and_stops_nobody() -> None:
    async with make_bot(rules(WATCHED, {"name": "live", "reply": "yes"})) as bot:
        await bot.work()
        assert await answers(bot, "hi") == ["yes"]
        assert await would(bot) == [
            ("watched", f"reply: 1 to {EAST}"),
            ("watched", "stop: later rules and plugins do not see it"),
        ]


@rule
async def test_it_is_counted_with_cooldowns_of_its_own_for_a_day() -> None:
    async with make_bot(rules(WATCHED)) as bot:
        await bot.work()
        await answers(bot, "a", "b")
        await bot.pass_time(600)
        await answers(bot, "c")
        (row,) = await bot.store.observed()
        assert row == {"plugin": "keyword_reply", "rule": "watched", "last_day": 2}
        await bot.pass_time(86_400)
        assert await bot.store.observed() == []
        assert (await bot.store.counters())["would_total:keyword_reply"] == 2


@rule
async def test_a_rule_that_goes_live_has_its_cooldown_before_it(tmp_path: Path) -> None:
    async with make_bot(rules(WATCHED), folder=tmp_path) as bot:
        await bot.work()
        assert await answers(bot, "hi") == []
        await go_live(bot)
        assert await answers(bot, "ho") == ["never"]


@pytest.mark.parametrize("mode", ["verbatim", "attributed"])
@rule
async def test_an_observing_route_takes_no_chat_from_a_live_one(mode: str) -> None:
    watched: Row = {"name": "watched", "from": [EAST], "to": [WEST, NORTH], "mode": mode, "observe": True}
    async with make_bot(routes(watched, {"name": "live", "from": [EAST], "to": [WEST]})) as bot:
        await bot.work()
        bot.simulator.say(EAST, ANN, "hi")
        await bot.work()
        assert (said(bot, WEST), said(bot, NORTH)) == (["hi"], [])
        assert {chat for _, reason in await would(bot) for chat in (WEST, NORTH) if chat in reason} == {
            WEST,
            NORTH,
        }


@rule
async def test_a_whole_plugin_observes_with_a_memory_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "shadow.py").write_text(PLUGIN, "utf-8")
    live = rules({"name": "live", "reply": "yes"}) + '\n[plugins]\norder = ["shadow", "keyword_reply"]\n'
    async with make_bot(live + "\n[plugins.shadow]\nobserve = true\n", folder=tmp_path) as bot:
        await bot.work()
        assert await answers(bot, "hi") == ["yes"]
        assert [rule for rule, _ in await would(bot)] == ["", ""]
        await go_live(bot)
        assert await answers(bot, "ho") == ["1 False"]


@rule
async def test_what_goes_wrong_in_the_shadow_harms_no_live_decision(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    text = PLUGIN.replace("Stop()]", 'Would(Forward(["R:1"], account=7))]').replace("Stop", "Forward, Would")
    (tmp_path / "plugins" / "shadow.py").write_text(text, "utf-8")
    async with make_bot(folder=tmp_path, accounts=(ONE,)) as bot:
        await bot.work()
        assert await answers(bot, "hi") == ["1 False"]
        assert ("error", "a decision names things by strings, not by int") in [
            (line["decision"], line["reason"]) for line in await bot.store.trace(1)
        ]


WATCHER = """
from relay import Plugin, Reply, Send

plugin = Plugin("shadow")
EAST = "R:10950000000000001"


@plugin.on_message()
async def ask(message, ctx):
    return Reply("well?", then=ask, within="2m", on_timeout=late) if message.text == "ask" else None


async def late(conversation, ctx):
    return Reply("too late")


@plugin.every("10m")
async def tick(ctx):
    return Send(EAST, "tick")


@plugin.on_event("contacts")
async def contacts(event, ctx):
    return Send(EAST, "contacts")


@plugin.on_delivery(states=["delivered"])
async def arrived(delivery, ctx):
    return Send(EAST, "arrived")
"""


@rule
async def test_what_it_would_do_beside_messages_is_counted_too(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "shadow.py").write_text(WATCHER, "utf-8")
    live = rules({"name": "live", "reply": "yes", "equals": ["hi"]})
    async with make_bot(live, folder=tmp_path, configured=True) as bot:
        await bot.work()
        assert await answers(bot, "ask") == ["well?"]
        await bot.restart(live + "\n[plugins.shadow]\nobserve = true\n")
        assert await answers(bot, "hi") == ["yes"]
        for seconds in (120, 500):  # the time-out and the delivery; the tick
            await bot.pass_time(seconds)
        await receive(bot, {"name": "Eve"}, kind="contacts")
        await bot.work()
        assert said(bot, EAST) == ["ask", "well?", "hi", "yes"]
        assert await bot.store.observed() == [{"plugin": "shadow", "rule": "", "last_day": 4}]
        assert (await bot.store.counters())["would_total:shadow"] == 4
        seen = written(await snapshot(bot.store, bot.clock)).decode()
        assert 'relay_would_total{plugin="shadow"} 4.0' in seen.splitlines()
