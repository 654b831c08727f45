"""Every mistake in a rule or a route is told at its key, in words that help."""

# ruff: noqa: E501 -- a complaint is told on one line, so it is written on one

from __future__ import annotations

import pytest
from bots import ANN, EAST, WEST, Row, make_bot, rule
from plugins.lists import complaints, routes, rules

from relay.errors import ConfigurationError

PICTURE = {"type": "picture", "url": "https://x/y.png"}


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"reply": ""}, 'rules[0] = {…}: a rule needs `reply` or `forward_to`'),
        ({"name": "", "reply": "x"}, 'rules[0].name = "": must have at least 1 characters'),
        ({"contians": ["y"]}, 'rules[0].contians = ["y"]: is not a known key (did you mean `contains`?)'),
        ({"contains": "y"}, 'rules[0].contains = "y": expected a list, found text (default: [])'),
        ({"contains": ["y", " "]}, 'rules[0].contains[1] = " ": must not be empty (it would be in every text)'),
        ({"regex": ["ok", "价格(报"]}, 'rules[0].regex[1] = "价格(报": missing ) at character 3'),
        ({"regex": ["(?=x)"]}, 'rules[0].regex[0] = "(?=x)": invalid perl operator at character 1 (RE2 has no lookaround and no backreferences)'),
        ({"regex": [""]}, 'rules[0].regex[0] = "": must not be empty (it would match every text)'),
        ({"chats": ["eest"]}, 'rules[0].chats[0] = "eest": `eest` is not in [chats] (did you mean `east`?)'),
        ({"forward_to": ["xyzzy"]}, 'rules[0].forward_to[0] = "xyzzy": `xyzzy` is not in [chats] (add it there, or use a wxid: `R:…` and `7881…` are taken as they are)'),
        ({"chats": ["east"], "not_chats": [EAST]}, 'rules[0].not_chats = ["R:10950000000000001"]: takes back all of `chats`: the rule would never match (default: [])'),
        ({"senders": [ANN], "not_senders": [ANN]}, 'rules[0].not_senders = ["7881300000000001"]: takes back all of `senders`: the rule would never match (default: [])'),
        ({"chat_type": "group"}, """rules[0].chat_type = "group": must be "room", "private" or "any" (default: "any")"""),
        ({"hours": "9-18"}, 'rules[0].hours = "9-18": is not a part of the day (write "09:00-18:00", or "22:00-06:00" over midnight; default: "")'),
        ({"hours": "09:00-25:00"}, 'rules[0].hours = "09:00-25:00": there is no such time of day (write "09:00-18:00", or "22:00-06:00" over midnight; default: "")'),
        ({"hours": "09:00-09:00"}, 'rules[0].hours = "09:00-09:00": ends when it begins (leave it empty for the whole day; default: "")'),
        ({"hours": 9}, 'rules[0].hours = 9: expected hours, found a whole number (write "09:00-18:00", or "22:00-06:00" over midnight; default: "")'),
        ({"days": ["mon", "friday"]}, 'rules[0].days[1] = "friday": is not a day (did you mean `fri`?)'),
        ({"days": ["周一"]}, 'rules[0].days[0] = "周一": is not a day (write "mon", "tue", "wed", "thu", "fri", "sat", "sun")'),
        ({"cooldown": 5}, 'rules[0].cooldown = 5: expected a duration, found a whole number (write "500ms", "5s", "10m", "2h" or "30d"; default: "0s")'),
        ({"cooldown_per": "sender"}, 'rules[0].cooldown_per = "sender": counts only with `cooldown` (add cooldown = "10m"; default: "chat")'),
        ({"choose": "rotate"}, 'rules[0].choose = "rotate": has nothing to choose from: `reply` is not a list (default: "all")'),
        ({"choose": "any"}, """rules[0].choose = "any": must be "all", "random" or "rotate" (default: "all")"""),
        ({"reply": "", "forward_to": ["east"], "delay": "5s"}, 'rules[0].delay = "5s": counts only with `reply`: a forward goes at once (default: "0s")'),
        ({"reply": 7}, 'rules[0].reply = 7: expected text or a list of texts and tables, found a whole number (default: "")'),
        ({"reply": ["x", ""]}, 'rules[0].reply[1] = "": must not be empty'),
        ({"reply": ["x", 7]}, 'rules[0].reply[1] = 7: expected text or a table, found a whole number'),
        ({"reply": "hi {sendr}"}, 'rules[0].reply = "hi {sendr}": there is no placeholder {sendr} (did you mean `sender`? default: "")'),
        ({"reply": ["x", "{qq}"], "regex": ["(?P<no>x)"]}, 'rules[0].reply[1] = "{qq}": there is no placeholder {qq} (known here: sender, chat, account, text, date, time, no)'),
        ({"reply": "{"}, 'rules[0].reply = "{": a stray brace at character 1 (write {{ or }} for the brace itself; default: "")'),
        ({"reply": [{"url": "x"}]}, 'rules[0].reply[0] = {…}: needs a `type` (known here: text, announcement, picture, link, file, voice, video, program, card)'),
        ({"reply": [{"type": "pictur", "url": "x"}]}, 'rules[0].reply[0].type = "pictur": is no type of message that can be sent (did you mean `picture`?)'),
        ({"reply": [{"type": "picture", "ulr": "x"}]}, 'rules[0].reply[0].ulr = "x": is not a field of a picture (did you mean `url`?)'),
        ({"reply": [{"type": "link"}]}, 'rules[0].reply[0] = {…}: a link needs `url` and `title`'),
        ({"reply": [{"type": "voice", "url": "x", "duration": "7"}]}, 'rules[0].reply[0].duration = "7": expected a whole number, found text'),
        ({"reply": [{"type": "link", "url": "x", "title": "{"}]}, 'rules[0].reply[0].title = "{": a stray brace at character 1 (write {{ or }} for the brace itself)'),
        ({"reply": [{"type": "link", "url": "{no}", "title": "{no}"}]}, 'rules[0].reply[0].title = "{no}": there is no placeholder {no} (known here: sender, chat, account, text, date, time)'),
        ({"regex": ["(?P<text>x)"]}, 'rules[0].regex[0] = "(?P<text>x)": `text` is a placeholder already (call the group something else)'),
    ],
)  # fmt: skip
def test_a_mistake_in_a_rule_is_told_in_these_words(keys: Row, complaint: str) -> None:
    assert complaints(rules({"reply": "x", **keys})) == [complaint]


@pytest.mark.parametrize(
    ("route", "complaint"),
    [
        ({}, "routes[0] = {…}: a route needs either `from` and `to`, or `between`"),
        ({"from": [EAST]}, "routes[0] = {…}: a route needs both `from` and `to`"),
        ({"to": [EAST]}, "routes[0] = {…}: a route needs both `from` and `to`"),
        ({"between": [EAST, WEST], "to": [WEST]}, "routes[0] = {…}: a route needs either `from` and `to`, or `between`"),
        ({"between": [EAST, "east"]}, 'routes[0].between = ["R:10950000000000001", "east"]: needs at least two chats (default: [])'),
        ({"from": ["east"], "to": [EAST]}, 'routes[0].to = ["R:10950000000000001"]: is the same chat as `from`: nothing would ever be sent (nothing goes back to where it was said; default: [])'),
        ({"form": ["east"], "to": [EAST]}, 'routes[0].form = ["east"]: is not a known key (did you mean `from`?)'),
        ({"between": ["eest", WEST]}, 'routes[0].between[0] = "eest": `eest` is not in [chats] (did you mean `east`?)'),
        ({"between": ["others"], "types": ["pictur"]}, 'routes[0].types[0] = "pictur": is not a type of message (did you mean `picture`?)'),
        ({"between": ["others"], "types": ["system"]}, 'routes[0].types = ["system"]: are all in `not_types`: the route would never match (write not_types = []; default: [])'),
        ({"between": ["others"], "senders": [ANN], "not_senders": [ANN]}, 'routes[0].not_senders = ["7881300000000001"]: takes back all of `senders`: the route would never match (default: [])'),
        ({"between": ["others"], "mode": "quoted"}, """routes[0].mode = "quoted": must be "verbatim" or "attributed" (default: "verbatim")"""),
        ({"between": ["others"], "attribution": "{sender}: "}, 'routes[0].attribution = "{sender}: ": counts only with mode = "attributed" (default: "{sender}@{chat}:")'),
        ({"between": ["others"], "mode": "attributed", "attribution": "{who}: "}, 'routes[0].attribution = "{who}: ": there is no placeholder {who} (known here: sender, chat, account, text, date, time; default: "{sender}@{chat}:")'),
        ({"between": ["others"], "hours": "night"}, 'routes[0].hours = "night": is not a part of the day (write "09:00-18:00", or "22:00-06:00" over midnight; default: "")'),
        ({"between": ["others"], "account": "eest"}, 'routes[0].account = "eest": `eest` is not in [chats] (did you mean `east`? default: "")'),
        ({"between": ["others"], "account": "xyzzy"}, 'routes[0].account = "xyzzy": `xyzzy` is not in [chats] (add it there, or use a wxid: `R:…` and `7881…` are taken as they are; default: "")'),
        ({"between": ["others"], "account": "others"}, 'routes[0].account = "others": stands for several chats (write the wxid of one of our accounts; default: "")'),
        ({"between": ["others"], "account": EAST}, 'routes[0].account = "R:10950000000000001": is a room, not an account (write the wxid of one of our accounts; default: "")'),
        ({"between": ["others"], "account": "east"}, 'routes[0].account = "east": is a room, not an account (write the wxid of one of our accounts; default: "")'),
        ({"between": ["others"], "contains": [""]}, 'routes[0].contains[0] = "": must not be empty (it would be in every text)'),
    ],
)  # fmt: skip
def test_a_mistake_in_a_route_is_told_in_these_words(route: Row, complaint: str) -> None:
    assert complaints(routes(route)) == [complaint]


@pytest.mark.parametrize(
    ("toml", "key"),
    [
        (rules(*[{"name": name, "reply": "x"} for name in "aba"]), "rules[2]"),
        (routes(*[{"name": name, "between": ["others"]} for name in "aba"]), "routes[2]"),
    ],
)
def test_a_name_used_twice_is_told_with_the_place_of_the_first(toml: str, key: str) -> None:
    assert complaints(toml) == [f'{key}.name = "a": is the name of [0] already (names must differ)']


def test_every_mistake_of_every_rule_is_told_at_once() -> None:
    wrong = {"cooldown_per": "sender", "choose": "random", "reply": "{a} {b}"}
    told = complaints(rules(wrong, {"reply": "x"}, {"reply": "x", "regex": ["("], "days": ["x"]}))
    keys = [line.partition(" ")[0] for line in told]
    assert sorted(keys) == [
        *("rules[0].choose", "rules[0].cooldown_per", "rules[0].reply"),
        *("rules[2].days[0]", "rules[2].regex[0]"),
    ]


@rule
async def test_what_a_complete_bot_toml_spells_out_is_no_mistake() -> None:
    everything = f"""
        [[plugins.keyword_reply.rules]]
        name = "price"
        enabled = true
        equals = []
        contains = ["价格", "报价"]
        contains_all = []
        prefix = []
        regex = []
        chats = []
        not_chats = []
        senders = []
        not_senders = []
        accounts = []
        chat_type = "any"
        hours = ""
        days = []
        cooldown = "0s"
        cooldown_per = "chat"
        reply = "您好 {{sender}},报价单在此"
        choose = "all"
        delay = "0s"
        forward_to = []
        stop = true
        [[plugins.group_mirror.routes]]
        name = "east to the rest"
        enabled = true
        from = ["{EAST}"]
        to = ["{WEST}"]
        between = []
        account = ""
        include_own = false
        types = []
        not_types = ["system", "revoke"]
        senders = []
        not_senders = []
        contains = []
        not_contains = []
        hours = ""
        days = []
        mode = "verbatim"
        attribution = "{{sender}}@{{chat}}:"
        """
    async with make_bot(everything) as bot:
        assert bot.config.warnings == ()


def test_mistakes_are_told_in_chinese_where_that_is_spoken() -> None:
    wrong = rules({"reply": "{sendr}", "hours": "9-18"}, {"reply": "x", "regex": ["价("]})
    with pytest.raises(ConfigurationError) as caught:
        make_bot(wrong)
    assert [problem.told("zh").partition("：")[2] for problem in caught.value.problems] == [
        '不是一天中的时段（写 "09:00-18:00"，跨夜写 "22:00-06:00"；默认：""）',
        '没有占位符 {sendr}（是不是想写 `sender`？默认：""）',
        "第 2 个字符处有误：missing )",
    ]
