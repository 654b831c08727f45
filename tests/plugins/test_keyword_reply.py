"""The keys of [[plugins.keyword_reply.rules]], each by what it does."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from bots import ANN, BEN, EAST, NORTH, ONE, TWO, WEST, Row, deliveries, entry, make_bot, receive, rule, said
from plugins.lists import rules

from relay.testing import Bot

MATCH = {"contains": ["hi"], "reply": "x"}


async def decided(text: str, *tables: Row, account: str = ONE, **said: object) -> list[tuple[str, str]]:
    """Kind and target of what a text leads to."""
    async with make_bot(rules(*tables), accounts=(ONE, TWO), configured=True) as bot:
        await receive(bot, entry("1", text, **said), account=account)
        await bot.router.drain()
        return [(str(row["kind"]), str(row["target"])) for row in await deliveries(bot)]


async def matches(keys: Row, text: str = "hi", **said: object) -> bool:
    """Whether a rule with these keys answers a message."""
    account = str(said.pop("account", ONE))
    return bool(await decided(text, {"reply": "x", **keys}, account=account, **said))


async def answers(bot: Bot, *texts: str, chat: str = EAST, sender: str = ANN) -> list[str]:
    """What the bot says to these texts, one after the other."""
    before = len(said(bot, chat))
    for text in texts:
        bot.simulator.say(chat, sender, text)
        await bot.work()
    return [answer for answer in said(bot, chat)[before:] if answer not in texts]


def at(time: str) -> int:
    """So many milliseconds, on a Friday in Shanghai."""
    moment = dt.datetime.fromisoformat(f"2023-11-17T{time}").replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    return int(moment.timestamp() * 1000)


# -- what must match -------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "text", "found"),
    [
        ({"contains": ["价格", "报价"]}, "请问报价单", True),
        ({"contains": ["价格"]}, "价 格", False),
        ({"contains": ["price"]}, "The PRICE?", True),
        ({"contains": ["ＰＲＩＣＥ"]}, "price", True),
        ({"contains": ["strasse"]}, "Straße", True),
        ({"contains_all": ["red", "PRICE"]}, "the price of Red tea", True),
        ({"contains_all": ["red", "price"]}, "the price", False),
        ({"equals": ["hi"]}, " HI ", True),
        ({"equals": ["hi"]}, "hi there", False),
        ({"equals": ["hi"]}, "@bot\u2005hi", True),
        ({"prefix": ["/help"]}, " /Help me", True),
        ({"prefix": ["/help"]}, "what is /help", False),
        ({"prefix": ["/help"]}, "＠小助手 /help", True),
        ({"regex": [r"\d{4}", "^x"]}, "no. 1234", True),
        ({"regex": ["Hi"]}, "hi", False),
        ({"regex": ["^hi"]}, "@bot hi", False),
        ({"equals": ["x"], "contains": ["y"]}, "a y", True),
        ({"equals": ["x"], "regex": ["y"]}, "a y", True),
        ({}, "anything", True),
        ({}, "", True),
        ({"regex": [""" "x" """]}, "", False),
    ],
)
@rule
async def test_one_of_the_lists_must_match(words: Row, text: str, found: bool) -> None:
    assert await matches(words, text) is found


@pytest.mark.parametrize(
    ("keys", "message", "found"),
    [
        ({"chats": ["east"]}, {}, True),
        ({"chats": ["others"]}, {}, False),
        ({"not_chats": ["east"]}, {}, False),
        ({"not_chats": ["others"]}, {}, True),
        ({"senders": [ANN]}, {}, True),
        ({"senders": [BEN]}, {}, False),
        ({"not_senders": [ANN]}, {}, False),
        ({"not_senders": [BEN]}, {}, True),
        ({"accounts": [ONE]}, {"account": ONE}, True),
        ({"accounts": [TWO]}, {"account": ONE}, False),
        ({"chat_type": "room"}, {}, True),
        ({"chat_type": "private"}, {}, False),
        ({"chat_type": "private"}, {"chat_wxid": ANN}, True),
        ({"chat_type": "any"}, {"chat_wxid": ANN}, True),
        ({"hours": "09:00-18:00"}, {"msg_time": at("09:00")}, True),
        ({"hours": "09:00-18:00"}, {"msg_time": at("18:00")}, False),
        ({"hours": "22:00-06:00", "days": ["thu"]}, {"msg_time": at("05:00")}, True),
        ({"hours": "22:00-06:00", "days": ["fri"]}, {"msg_time": at("05:00")}, False),
        ({"days": ["fri"]}, {"msg_time": at("00:00")}, True),
        ({"days": ["sat"]}, {"msg_time": at("23:59")}, False),
        ({"enabled": False}, {}, False),
    ],
)
@rule
async def test_a_rule_holds_where_and_when_its_filters_say(keys: Row, message: Row, found: bool) -> None:
    assert await matches({"contains": ["hi"], **keys}, **message) is found


@pytest.mark.parametrize(
    ("keys", "msg_type", "found"),
    [({}, "picture", True), ({"contains": ["hi"]}, "announcement", True), (MATCH, "picture", False)],
)
@rule
async def test_words_are_looked_for_in_what_has_a_text(keys: Row, msg_type: str, found: bool) -> None:
    assert await matches(keys, msg_type=msg_type, content={"text": "hi", "url": "hi"}) is found


@rule
async def test_what_our_staff_say_is_never_answered() -> None:
    mirror = f'\n[[plugins.group_mirror.routes]]\nname = "r"\nfrom = ["{NORTH}"]\nto = ["{WEST}"]\n'
    async with make_bot(rules(MATCH) + mirror + "include_own = true") as bot:
        await bot.work()
        assert await answers(bot, "hi", sender=ONE) == []


# -- what is done ----------------------------------------------------------------


@rule
async def test_reply_goes_to_the_messages_own_chat_and_forward_to_to_others() -> None:
    keys = {**MATCH, "forward_to": ["others", EAST]}
    assert await decided("hi", keys) == [("send", EAST), ("forward", WEST), ("forward", NORTH)]


@rule
async def test_the_first_rule_that_matches_is_the_last_unless_it_says_otherwise() -> None:
    assert await decided("hi", MATCH, MATCH) == [("send", EAST)]
    assert await decided("hi", {**MATCH, "stop": False}, MATCH) == [("send", EAST), ("send", EAST)]


@rule
async def test_a_list_is_sent_in_full_and_in_order() -> None:
    link = {"type": "link", "url": "https://x/{no}", "title": "No. {no}"}
    async with make_bot(rules({"regex": [r"no\.(?P<no>\d+)"], "reply": ["{no}!", link]})) as bot:
        await bot.work()
        bot.simulator.say(EAST, ANN, "no.7")
        await bot.work()
        _, text, card = bot.simulator.ledger.in_chat(EAST)
        assert json.loads(text.content) == {"items": [{"type": "text", "text": "7!"}]}
        fields = {"url": "https://x/{no}", "title": "No. 7", "desc": "", "cover": ""}
        assert (card.msg_type, json.loads(card.content)) == ("link", fields)


@rule
async def test_rotate_takes_turns_and_goes_on_after_a_restart() -> None:
    async with make_bot(rules({"reply": ["a", "b", "c"], "choose": "rotate"})) as bot:
        await bot.work()
        assert await answers(bot, "1", "2") == ["a", "b"]
        await bot.restart()
        assert await answers(bot, "3", "4") == ["c", "a"]


@rule
async def test_random_takes_each_in_the_long_run_and_the_same_for_the_same_message(tmp_path: Path) -> None:
    toml = rules({"reply": ["a", "b", "c"], "choose": "random"})
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        async with make_bot(toml, folder=folder) as bot:
            await bot.work()
            found = await answers(bot, *map(str, range(30)))
            assert set(found) == {"a", "b", "c"}
            (folder / "found").write_text("".join(found))
    assert (tmp_path / "one" / "found").read_text() == (tmp_path / "two" / "found").read_text()


@rule
async def test_a_delayed_reply_waits_and_holds_nothing_up() -> None:
    slow = {"equals": ["slow"], "reply": "late", "delay": "1h"}
    async with make_bot(rules(slow, {"equals": ["fast"], "reply": "soon"})) as bot:
        await bot.work()
        assert await answers(bot, "slow", "fast") == ["soon"]
        await bot.pass_time(3599)
        assert "late" not in said(bot, EAST)
        await bot.pass_time(1)
        assert said(bot, EAST)[-1] == "late"


# -- cooldown --------------------------------------------------------------------


COOL = {"equals": ["hi"], "reply": "x", "cooldown": "10m"}


@rule
async def test_while_a_cooldown_lasts_later_rules_may_match() -> None:
    async with make_bot(rules(COOL, {"reply": "later"})) as bot:
        await bot.work()
        assert await answers(bot, "hi", "hi") == ["x", "later"]
        await bot.pass_time(600)
        assert await answers(bot, "hi") == ["x"]


@rule
async def test_a_message_during_a_cooldown_does_not_prolong_it() -> None:
    async with make_bot(rules(COOL)) as bot:
        await bot.work()
        assert await answers(bot, "hi") == ["x"]
        await bot.pass_time(599)
        assert await answers(bot, "hi") == []
        await bot.pass_time(1)
        assert await answers(bot, "hi") == ["x"]


@rule
async def test_a_cooldown_survives_a_restart() -> None:
    async with make_bot(rules(COOL)) as bot:
        await bot.work()
        assert await answers(bot, "hi") == ["x"]
        await bot.restart()
        assert await answers(bot, "hi") == []


@pytest.mark.parametrize(
    ("per", "chat", "sender", "found"),
    [
        ("chat", EAST, BEN, []),
        ("chat", WEST, ANN, ["x"]),
        ("sender", EAST, BEN, ["x"]),
        ("sender", WEST, ANN, []),
    ],
)
@rule
async def test_a_cooldown_is_for_one_chat_or_one_sender(
    per: str, chat: str, sender: str, found: list[str]
) -> None:
    async with make_bot(rules({**COOL, "cooldown_per": per})) as bot:
        await bot.work()
        assert await answers(bot, "hi") == ["x"]
        assert await answers(bot, "hi", chat=chat, sender=sender) == found


@rule
async def test_of_two_messages_at_once_in_two_chats_a_senders_cooldown_lets_one_through() -> None:
    async with make_bot(rules({**COOL, "cooldown_per": "sender"}), configured=True) as bot:
        await receive(bot, entry("1"), entry("2", chat_wxid=WEST), entry("3", chat_wxid=NORTH))
        await bot.router.drain()
        assert len(await deliveries(bot)) == 1


# -- placeholders ----------------------------------------------------------------


@rule
async def test_placeholders_say_what_was_written_and_when() -> None:
    keys = {"reply": "{text}|{date}|{time}|{{}}"}
    async with make_bot(rules(keys), configured=True) as bot:
        bot.simulator.say(EAST, ANN, "@bot {sender}\n\x07!")
        await bot.work()
        assert said(bot, EAST)[-1] == "@bot {sender} !|2023-11-15|06:13|{}"


@pytest.mark.parametrize(
    ("text", "answer"), [("no.7 {no}", "7 - "), ("price: 8", " - 8"), ("no.1 price: 2", "1 - 2")]
)
@rule
async def test_named_groups_of_any_pattern_are_placeholders_and_else_empty(text: str, answer: str) -> None:
    keys = {"regex": [r"no\.(?P<no>\d+)", r"price: (?P<price>\d+)"], "reply": "{no} - {price}"}
    async with make_bot(rules(keys)) as bot:
        await bot.work()
        assert await answers(bot, text) == [answer]
