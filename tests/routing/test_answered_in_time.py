"""An answer that was received in time comes before the time-out of its question, wherever it is by then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bots import callback, entry, eventually, rule
from receiver.test_disk import PATH, Stubborn
from routing.test_conversations import PLUGIN, answers, form, talk

from relay.receiving import intake
from relay.store.sqlite import conversations
from relay.testing import Bot, asgi_call

WITHIN, BEATS = 20, 4  # seconds
SHORT = PLUGIN.replace("2m", f"{WITHIN}s")


async def live(bot: Bot, seconds: int) -> None:
    """Let time pass with a receiver that tells of itself, and a router that looks."""
    for _ in range(seconds // BEATS):
        bot.clock.jump(BEATS)
        await bot.store.beat("receiver", 1, bot.receiver.note())
    await bot.router.drain()
    await bot.sender.drain()


async def answer_in_the_journal(bot: Bot) -> Stubborn:
    """Somebody asks, and is answered in time, but the database takes nothing from the receiver."""
    await live(bot, BEATS)
    await talk(bot, "order")
    await live(bot, WITHIN - 2 * BEATS)
    store = Stubborn(bot)
    store.unlocked.clear()
    assert (await asgi_call(bot.door, "POST", PATH, body=callback(entry("77", "a lamp"))))[0] == 200
    return store


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "LOOK", 0)


@rule
async def test_an_answer_in_the_journal_wins_against_the_time_out(tmp_path: Path) -> None:
    async with form(tmp_path, SHORT) as bot:
        store = await answer_in_the_journal(bot)
        await live(bot, 3 * WITHIN)
        store.unlocked.set()
        await bot.receiver.taken_in()
        await live(bot, 2 * BEATS)
        assert answers(bot) == ["which one?", "order 1: a lamp"]


@rule
async def test_what_is_not_taken_in_for_long_stops_no_time_out_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations, "DEAF_FOR_LONG", 60_000)
    async with form(tmp_path, SHORT) as bot:
        store = await answer_in_the_journal(bot)
        await live(bot, 60)
        assert len(answers(bot)) == 1
        await live(bot, 4 * BEATS)
        assert answers(bot)[1].startswith("too late for")
        store.unlocked.set()


@rule
async def test_an_answer_that_a_killed_receiver_left_wins_once_it_is_adopted(tmp_path: Path) -> None:
    async with form(tmp_path, SHORT) as bot:
        await answer_in_the_journal(bot)
        await bot.restart()
        assert bot.receiver.note() == {}  # nobody has looked yet
        await live(bot, WITHIN)
        assert len(answers(bot)) == 1
        await bot.receiver.taken_in()
        await bot.receiver.taken_in()  # looks again: what was left is gone
        assert bot.receiver.note() != {}
        await live(bot, 2 * BEATS)
        assert answers(bot) == ["which one?", "order 1: a lamp"]


@rule
async def test_a_large_body_that_is_kept_and_not_read_yet_may_have_the_answer(tmp_path: Path) -> None:
    async with form(tmp_path, SHORT) as bot:
        await live(bot, BEATS)
        await talk(bot, "order")
        mark = bot.receiver._journal.journal.mark_at(0)
        number = await bot.store.put_aside(b"large", bot.clock.now(), mark, "somebody")
        await live(bot, 2 * WITHIN)
        assert len(answers(bot)) == 1
        await bot.store.drop_aside(number)
        await live(bot, 2 * BEATS)
        assert len(answers(bot)) == 2


@rule
async def test_a_receiver_tells_of_the_first_that_is_not_taken_in(tmp_path: Path) -> None:
    async with form(tmp_path, SHORT) as bot:
        await bot.receiver.taken_in()
        store = Stubborn(bot)
        store.unlocked.clear()
        first = bot.clock.now()
        for svrid in "12":
            await asgi_call(bot.door, "POST", PATH, body=callback(entry(svrid)))
            bot.clock.jump(1)
        assert bot.receiver.note() == {"taken_in": first}
        store.unlocked.set()

        async def all_in() -> bool:
            return bot.receiver.note() == {"taken_in": bot.clock.now()}

        await eventually(all_in)
        assert len(await bot.store.messages()) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can leave a file of somebody else's")
@rule
async def test_a_journal_of_another_users_holds_up_no_time_out(tmp_path: Path) -> None:
    async with form(tmp_path, SHORT) as bot:
        ours = bot.receiver._journal.journal.path
        left = ours.with_name(f"{ours.stem.rpartition('-')[0]}-0000ffff{ours.suffix}")
        left.write_bytes(b"")
        os.chown(left, 12345, 12345)
        await bot.receiver.taken_in()
        assert bot.receiver.note().keys() == {"taken_in"}
