"""Of what plugins were called for because of a person, and kept for them, `relay forget` leaves nothing."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from bots import ANN, BEN, EAST, ONE, make_bot, receive, rule

from relay.store.migrate import migrate
from relay.store.sqlite import ask, forgetting
from relay.store.sqlite.forgetting import Forgetting
from relay.testing import Bot

PLUGIN = """
from relay import Plugin, Reply, Send

plugin = Plugin("watcher")
EAST, ANN, BEN = "R:10950000000000001", "7881300000000001", "7881300000000002"

@plugin.on_message(types=["text"])
async def ask(message, ctx):
    await ctx.state.of(sender=message.sender).set("last", message.text)
    await ctx.state.set(f"of {message.sender}", message.text)
    await ctx.state.set(f"of {message.sender}0", "somebody else")
    other = ANN if message.sender == BEN else BEN
    news = [Send(other, f"news for {other}")] if message.chat_type == "private" else []
    return [Reply("well?", then=ask, within="1m", on_timeout=late), *news]

async def late(conversation, ctx):
    return Reply(f"too late, {conversation.sender}")

@plugin.on_event("contacts")
async def contact(event, ctx):
    return Send(EAST, f"new: {event.content['wxid']}")
"""
TELLER = """
from relay import Plugin, Send

plugin = Plugin("teller")

@plugin.on_delivery(states=["delivered"])
async def arrived(delivery, ctx):
    return Send("R:10950000000000002", f"arrived at {delivery.target}")
"""


async def known(folder: Path) -> Bot:
    """A bot that Ann and Ben have said something to, that heard of both, and asked both in vain."""
    (folder / "plugins").mkdir()
    (folder / "plugins" / "watcher.py").write_text(PLUGIN, "utf-8")
    (folder / "plugins" / "teller.py").write_text(TELLER, "utf-8")
    bot = make_bot(folder=folder, configured=True)
    for who in (ANN, BEN):
        for chat in (ONE, EAST):
            bot.simulator.say(chat, who, "hello")
            await bot.work()
        await receive(bot, {"wxid": who}, kind="contacts")
        await bot.work()
    for _ in range(3):
        await bot.pass_time(70)
    return bot


def forget(bot: Bot, wxid: str) -> None:
    person = Forgetting(bot.config.database, wxid)
    person.forget(bot.clock.now(), lambda _: None)
    person.close()


def of_whom(bot: Bot, wxid: str) -> dict[str, int]:
    """In how many rows of each table a person is named, and of how many calls for them there is a trace."""
    named = {
        "deliveries": "SELECT count(*) FROM deliveries WHERE instr(body, CAST(? AS BLOB))",
        "events": "SELECT count(*) FROM events WHERE instr(raw, CAST(? AS BLOB))",
        "plugin_state": "SELECT count(*) FROM plugin_state WHERE instr(key, ?)",
        "occasions": "SELECT count(*) FROM occasions WHERE ? IN (sender, chat)",
        "occasion_traces": "SELECT count(DISTINCT occasion) FROM occasion_traces WHERE instr(reason, ?)",
    }
    connection = apsw.Connection(str(bot.config.database))
    found = {table: ask.value(connection, sql, (wxid,)) for table, sql in named.items()}
    connection.close()
    return found


@rule
async def test_what_plugins_were_called_for_because_of_somebody_goes_and_what_is_of_others_stays(
    tmp_path: Path,
) -> None:
    async with await known(tmp_path) as bot:
        everything = {
            "deliveries": 7,
            "events": 1,
            "plugin_state": 3,
            "occasions": 2,
            "occasion_traces": 1,
        }
        assert (of_whom(bot, ANN), of_whom(bot, BEN)) == (everything, everything)
        traced = "SELECT count(DISTINCT occasion) FROM occasion_traces"
        connection = apsw.Connection(str(bot.config.database))
        before = ask.value(connection, traced)
        forget(bot, ANN)
        left = {"deliveries": 0, "events": 0, "plugin_state": 1, "occasions": 0, "occasion_traces": 0}
        of_ben = {**everything, "deliveries": 5}  # what came of Ann's words for him goes with them
        assert (of_whom(bot, ANN), of_whom(bot, BEN)) == (left, of_ben)
        assert before - ask.value(connection, traced) == before // 2 + 1
        connection.close()


@rule
async def test_nobody_is_called_any_more_for_who_is_forgotten(tmp_path: Path) -> None:
    async with await known(tmp_path) as bot:
        for who in (ANN, BEN):
            bot.simulator.say(EAST, who, "again")
        await bot.work()
        bot.clock.jump(60)
        assert await bot.store.occasions.time_out(10) == 2
        forget(bot, ANN)
        waiting = await bot.store.occasions.occasions(state="waiting")
        skipped = await bot.store.occasions.occasions(state="skipped")
        assert [row["sender"] for row in waiting] == [BEN]
        assert [(row["sender"], row["reason"]) for row in skipped] == [("", "forgotten")]


@pytest.mark.parametrize("theirs", [forgetting._BY_WORDS, forgetting._BY_PERSON])
@pytest.mark.parametrize("sql", [forgetting._OF_WORDS, forgetting._OF_PERSON, forgetting._UNEXPLAINED_CALLS])
def test_what_is_of_a_person_is_found_without_going_through_all_that_plugins_were_called_for(
    sql: str, theirs: str
) -> None:
    connection = apsw.Connection(":memory:")
    migrate(connection)
    asked = f"EXPLAIN QUERY PLAN {sql.format(theirs=theirs)}".replace("?1", "'[]'")
    scans = {str(row[3]) for row in connection.execute(asked) if str(row[3]).startswith("SCAN")}
    assert {step.partition(" VIRTUAL")[0] for step in scans} <= {
        "SCAN theirs",
        "SCAN json_each",
        "SCAN o USING COVERING INDEX occasions_event",  # whom an event names stands in its text alone
    }
