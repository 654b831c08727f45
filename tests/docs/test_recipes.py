"""Every recipe does what its page says, in the words of its language."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from zoneinfo import ZoneInfo

import pytest
from bots import ANN, BEN, EAST, NORTH, ONE, WEST, make_bot, rule, said
from docs.readme import RECIPES, Readme

from relay.testing import Bot

NEWS, STAFF, ARCHIVE = (f"R:109500000000000{number}" for number in ("08", "09", "10"))
ROOMS = dict.fromkeys((EAST, WEST, NORTH, NEWS, STAFF, ARCHIVE), (ONE, ANN, BEN))
CUSTOMERS = (EAST, WEST, NORTH)
THURSDAY = dt.datetime(2023, 11, 16, tzinfo=ZoneInfo("Asia/Shanghai"))

WORDS: Mapping[str, Mapping[str, str]] = {
    "when": {"en": "WHEN do you open?", "zh": "请问几点开门？"},
    "price list": {"en": "a list of each price, please", "zh": "价格有表吗"},
    "complaint": {"en": "I want a refund", "zh": "我要退款"},
    "contact": {"en": "can I talk to sales?", "zh": "怎么联系销售？"},
    "order": {"en": "where is Order no. 20231114?", "zh": "我的订单号：20231114 到哪了"},
    "short order": {"en": "where is order 12?", "zh": "我的订单号：12 到哪了"},
    "hello": {"en": "Hello there", "zh": "你好"},
    "vote": {"en": "please VOTE for me", "zh": "帮我投票"},
    "price": {"en": "price?", "zh": "价格？"},
    "appointment": {"en": "an appointment, please", "zh": "想预约"},
}

each = pytest.mark.parametrize("page", RECIPES, ids=lambda page: page.name)


def words(page: Readme, what: str) -> str:
    return WORDS[what]["en" if page.english is None else "zh"]


def replies(page: Readme, number: int) -> list[str]:
    """The texts that the recipe answers with, with Ann's name filled in."""
    written = re.findall(r'^(?:reply = |  )"(.+)",?$', recipe(page, number), re.MULTILINE)
    return [text.replace("{sender}", ANN[-1]) for text in written]


def recipe(page: Readme, number: int) -> str:
    (heading,) = [w for _, w in RECIPES[0].headings if w.startswith(f"{number}. ")]
    return page.code_under(heading, "toml")


async def bot_of(page: Readme, number: int) -> Bot:
    """A bot with this recipe, which has heard Ann and Ben before and knows their names."""
    bot = make_bot(page.written_in("toml")[0] + recipe(page, number), rooms=ROOMS)
    await bot.work()
    for room in (NEWS, STAFF):
        bot.simulator.say(room, ANN, "…")
        bot.simulator.say(room, BEN, "…")
    for _ in range(3):
        await bot.pass_time(60)
    return bot


async def say(bot: Bot, chat: str, sender: str, *texts: str) -> None:
    for text in texts:
        bot.simulator.say(chat, sender, text)
        await bot.work()


def kinds(bot: Bot, chat: str) -> list[str]:
    return [message.msg_type for message in bot.simulator.ledger.in_chat(chat)]


@each
@rule
async def test_several_groups_as_one(page: Readme) -> None:
    async with await bot_of(page, 1) as bot:
        await say(bot, EAST, ANN, "one")
        await say(bot, NORTH, BEN, "two")
        assert [said(bot, room) for room in CUSTOMERS] == [["one", "two"]] * 3


@each
@rule
async def test_announcements_go_one_way(page: Readme) -> None:
    async with await bot_of(page, 2) as bot:
        before = len(said(bot, NEWS))
        await say(bot, NEWS, ANN, "news")
        await say(bot, EAST, BEN, "thanks")
        assert [said(bot, room)[-1] for room in CUSTOMERS] == ["thanks", "news", "news"]
        assert said(bot, NEWS)[before:] == ["news"]


@each
@rule
async def test_frequent_questions_are_answered_by_name(page: Readme) -> None:
    async with await bot_of(page, 3) as bot:
        await say(bot, EAST, ANN, words(page, "when"))
        assert said(bot, EAST)[-1] == replies(page, 3)[0]
        await say(bot, EAST, ANN, words(page, "price list"))
        assert kinds(bot, EAST)[-3:] == ["text", "text", "file"]
        await say(bot, STAFF, ANN, words(page, "when"))
        assert said(bot, STAFF)[-1] == words(page, "when")


@each
@pytest.mark.parametrize(
    ("days", "time", "answer"),
    [(0, "10:00", 2), (0, "20:00", 1), (1, "08:59", 1), (1, "19:00", 1), (2, "10:00", 0), (3, "03:00", 1)],
)
@rule
async def test_hours_and_days_decide_the_answer(page: Readme, days: int, time: str, answer: int) -> None:
    moment = dt.datetime.combine(
        THURSDAY + dt.timedelta(days=days), dt.time.fromisoformat(time), THURSDAY.tzinfo
    )
    async with await bot_of(page, 4) as bot:
        await bot.pass_time(moment.timestamp() - bot.clock.now() / 1000)
        await say(bot, EAST, ANN, "anybody?", "hello?")
        assert said(bot, EAST) == ["anybody?", replies(page, 4)[answer], "hello?"]
        bot.simulator.post(EAST, ANN, "picture", {"url": "https://example.com/a.png"})
        await bot.work()
        assert kinds(bot, EAST)[-1] == "picture"


@each
@rule
async def test_complaints_reach_the_staff_with_their_author(page: Readme) -> None:
    async with await bot_of(page, 5) as bot:
        await say(bot, EAST, ANN, "fine", words(page, "complaint"))
        (line,) = re.findall('attribution = "(.+)"', recipe(page, 5))
        at = dt.datetime.fromtimestamp(bot.clock.now() / 1000, THURSDAY.tzinfo)
        filled = line.format(sender=ANN[-1], chat=EAST[-1], time=f"{at:%H:%M}")
        assert said(bot, STAFF)[-1] == filled + words(page, "complaint")
        assert "fine" not in "".join(said(bot, STAFF))


@each
@rule
async def test_the_archive_gets_pictures_and_files_only(page: Readme) -> None:
    async with await bot_of(page, 6) as bot:
        await say(bot, EAST, ANN, "look")
        bot.simulator.post(EAST, ANN, "picture", {"url": "https://example.com/a.png"})
        bot.simulator.post(WEST, BEN, "file", {"url": "https://example.com/a.pdf", "title": "a.pdf"})
        await bot.work()
        assert sorted(kinds(bot, ARCHIVE)) == ["file", "picture"]


@each
@rule
async def test_cards_take_turns_also_over_a_restart(page: Readme) -> None:
    async with await bot_of(page, 7) as bot:
        for _ in range(3):
            await say(bot, EAST, ANN, words(page, "contact"))
            await bot.restart()
        cards = [m.content for m in bot.simulator.ledger.in_chat(EAST) if m.msg_type == "card"]
        assert [b"0011" in card for card in cards] == [True, False, True]


@each
@rule
async def test_the_order_number_is_in_the_answer(page: Readme) -> None:
    async with await bot_of(page, 8) as bot:
        await say(bot, EAST, ANN, words(page, "short order"), words(page, "order"))
        answer = replies(page, 8)[0].replace("{order}", "20231114")
        assert said(bot, EAST)[1:] == [words(page, "order"), answer]
        assert said(bot, STAFF)[-1] == words(page, "order")


@each
@rule
async def test_nobody_is_answered_twice_in_ten_minutes(page: Readme) -> None:
    async with await bot_of(page, 9) as bot:
        await say(bot, EAST, ANN, words(page, "hello"))
        await say(bot, WEST, ANN, words(page, "hello"))
        assert (len(said(bot, EAST)), len(said(bot, WEST))) == (2, 1)
        await say(bot, EAST, BEN, words(page, "hello"))
        assert len(said(bot, EAST)) == 4
        await bot.pass_time(601)
        await say(bot, WEST, ANN, words(page, "hello"))
        assert said(bot, WEST)[-1] == replies(page, 9)[0]


@each
@rule
async def test_noisy_people_groups_and_words_are_left_out(page: Readme) -> None:
    async with await bot_of(page, 10) as bot:
        await say(bot, EAST, BEN, words(page, "price"))
        await say(bot, EAST, ANN, words(page, "vote"))
        await say(bot, NORTH, ANN, words(page, "price"))
        assert said(bot, WEST) == [words(page, "price")]
        assert said(bot, NORTH) == [words(page, "price")]
        await say(bot, WEST, ANN, words(page, "price"))
        assert said(bot, WEST)[-1] == replies(page, 10)[0]


@each
@rule
async def test_the_answer_waits_and_the_staff_know_at_once(page: Readme) -> None:
    async with await bot_of(page, 11) as bot:
        await say(bot, EAST, ANN, words(page, "appointment"), "and another thing")
        assert (len(said(bot, EAST)), said(bot, STAFF)[-1]) == (2, words(page, "appointment"))
        await bot.pass_time(119)
        assert len(said(bot, EAST)) == 2
        await bot.pass_time(2)
        assert said(bot, EAST)[-1] == replies(page, 11)[0]


@each
@rule
async def test_what_staff_type_is_mirrored_and_nothing_goes_in_circles(page: Readme) -> None:
    async with await bot_of(page, 12) as bot:
        await say(bot, EAST, ONE, "typed by a colleague")
        await say(bot, WEST, ANN, "and a customer")
        await bot.pass_time(3600)
        assert [said(bot, room) for room in CUSTOMERS] == [["typed by a colleague", "and a customer"]] * 3


@each
def test_every_recipe_has_a_test_of_its_own(page: Readme) -> None:
    numbers = [int(found) for found in re.findall(r"^## (\d+)\. ", page.text, re.MULTILINE)]
    assert numbers == list(range(1, 13))
