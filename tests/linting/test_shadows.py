"""Rules that never get their turn: what is told is so, and what is so and plain to see is told."""

from __future__ import annotations

import datetime as dt
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from linting.tables import EAST, WEST, Row, message, read, rules, shipped, told

from relay import Context, Message
from relay.linting.shadows import shadows

PRICE: Row = {"contains": ["price"]}


@pytest.mark.parametrize(
    "later",
    [
        {"contains": ["price list"]},
        {"contains": ["PRICE"]},
        {"contains": ["ｐｒｉｃｅ"]},
        {"equals": ["the price?"]},
        {"prefix": ["price of"]},
        {"contains_all": ["red", "prices"]},
        {"contains": ["price list", "half price"], "chats": ["east"], "days": ["mon"]},
        {"contains": ["price"], "senders": ["123456"], "cooldown": "5m", "stop": False},
    ],
)
def test_a_rule_after_one_with_a_shorter_word_is_shadowed(later: Row) -> None:
    assert ("rules[1]", "shadowed") in told(*rules(PRICE, later))


@pytest.mark.parametrize(
    "earlier",
    [
        {"chats": ["west"]},
        {"not_chats": ["east"]},
        {"senders": ["123456"]},
        {"not_senders": ["123456"]},
        {"accounts": ["1688850000000001"]},
        {"chat_type": "room"},
        {"hours": "09:00-18:00"},
        {"days": ["mon", "tue"]},
        {"cooldown": "1s"},
        {"stop": False},
        {"enabled": False},
    ],
)
def test_what_an_earlier_rule_leaves_over_reaches_a_later_one(earlier: Row) -> None:
    assert told(*rules({**PRICE, **earlier}, PRICE)) == []


def test_what_was_said_while_nobody_listened_reaches_a_rule_that_acts_on_it() -> None:
    assert told(*rules(PRICE, {**PRICE, "late": "act"})) == []
    assert told(*rules({**PRICE, "late": "act"}, PRICE)) == [("rules[1]", "shadowed")]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"prefix": ["price"]}, {"contains": ["price"]}),
        ({"equals": ["price"]}, {"prefix": ["price"]}),
        ({"contains_all": ["red", "price"]}, {"contains": ["price"]}),
        ({"contains": ["price list"]}, {"contains": ["price"]}),
        ({"regex": ["price"]}, {"contains": ["price"]}),
        ({"regex": [".+"]}, {"contains": ["price"]}),
        ({"regex": [".*"]}, {"chats": ["east"]}),
    ],
)
def test_a_wider_rule_after_a_narrower_one_has_its_turn(earlier: Row, later: Row) -> None:
    assert not {"shadowed", "word_shadowed"} & {code for _, code in told(*rules(earlier, later))}


def test_a_rule_for_everything_shadows_all_that_follow() -> None:
    assert told(*rules({}, PRICE, {"regex": ["a"]}, {"chats": ["east"]})) == [
        (f"rules[{number}]", "shadowed") for number in (1, 2, 3)
    ]


def test_a_pattern_for_any_text_shadows_words_and_patterns() -> None:
    assert [
        at for at, code in told(*rules({"regex": ["x*"]}, PRICE, {"regex": ["a"]})) if code == "shadowed"
    ] == [
        "rules[1]",
        "rules[2]",
    ]


def test_several_rules_together_shadow_one() -> None:
    three = rules(PRICE, {"prefix": ["hi"]}, {"contains": ["price?"], "equals": ["hi there"]})
    assert told(*three) == [("rules[2]", "shadowed")]


def test_a_word_that_never_gets_its_turn_is_told_at_its_place() -> None:
    assert told(*rules(PRICE, {"contains": ["order", "price list"]})) == [
        ("rules[1].contains[1]", "word_shadowed")
    ]


def test_a_word_within_another_of_the_same_rule_is_told() -> None:
    one = {"contains": ["price", "price list"], "equals": ["a price"], "prefix": ["hi", "hi you"]}
    assert told(*rules(one)) == [
        ("rules[0].equals[0]", "word_doubled"),
        ("rules[0].contains[1]", "word_doubled"),
        ("rules[0].prefix[1]", "word_doubled"),
    ]


# --- for any rules ---------------------------------------------------------------------------------

WORDS = ("a", "b", "ab", "ba", "abb", "A", "é", "e", "\u0301a", "b a", "ａ")
PATTERNS = ("a", "a*", "b?", "^", "$", "", "^a", ".+", "(?i)AB", "z|a*")
some = st.lists(st.sampled_from(WORDS), max_size=2)
listed = st.sampled_from(([], ["east"], ["west"], ["east", "west"]))
people = st.sampled_from(([], ["1111111"], ["2222222"], ["1111111", "2222222"]))


def anything_but_all(row: dict[str, Any]) -> bool:
    return not any(row[key] and set(row[key]) <= set(row[f"not_{key}"]) for key in ("chats", "senders"))


rule = st.fixed_dictionaries(
    {
        **dict.fromkeys(("equals", "contains", "contains_all", "prefix"), some),
        "regex": st.lists(st.sampled_from([p for p in PATTERNS if p]), max_size=1),
        **dict.fromkeys(("chats", "not_chats"), listed),
        **dict.fromkeys(("senders", "not_senders"), people),
        "accounts": people,
        "chat_type": st.sampled_from(("any", "any", "room", "private")),
        "hours": st.sampled_from(("", "", "09:00-18:00", "22:00-06:00", "08:00-20:00")),
        "days": st.sampled_from(([], [], ["mon"], ["mon", "tue"], ["sun"])),
        "cooldown": st.sampled_from(("0s", "0s", "1m")),
        "late": st.sampled_from(("skip", "act")),
        "stop": st.sampled_from((True, True, False)),
        "enabled": st.sampled_from((True, True, True, False)),
    }
).filter(anything_but_all)


def some_message(chance: Random, rule: Row, words: tuple[str, ...]) -> Message:
    """A message with these words in it, and as the rule wants it for the rest, more often than not."""
    parts = (*WORDS, "@x ", "@x\u2005", " ", "\n", "z")
    people = ("1111111", "2222222", "3333333")
    return message(
        "".join([*words, *chance.choices(parts, k=chance.choice((0, 0, 1, 2)))]),
        chat=chance.choice((EAST, WEST)),
        chat_type=chance.choice(("private" if rule["chat_type"] == "private" else "room", "room", "private")),
        sender=chance.choice([*people, *rule["senders"] * 3]),
        account=chance.choice([*people, *rule["accounts"] * 3]),
        type=chance.choice(("text", "text", "text", "picture")),
        late=chance.random() < 0.3,
        time=dt.datetime(2026, 11, 16, tzinfo=dt.UTC) + dt.timedelta(minutes=chance.randrange(2 * 24 * 60)),
    )


@st.composite
def akin(draw: st.DrawFn) -> list[Row]:
    """Rules that differ from the first in little, so that many are shadowed, and others nearly are."""
    first = {**draw(rule), "cooldown": "0s", "stop": True, "enabled": True}
    rows = [first]
    for _ in range(draw(st.integers(1, 4))):
        other = draw(rule)
        changed = draw(st.lists(st.sampled_from(sorted(first)), max_size=2))
        rows.append({**first, **{key: other[key] for key in changed}})
    return draw(st.permutations([row for row in rows if anything_but_all(row)]))


class Memory:
    """A state in which some cooldowns are not over."""

    def __init__(self, cooling: bool) -> None:
        self.cooling = cooling

    async def get(self, key: str) -> int | None:
        """As `ctx.state` does."""
        return 1 if self.cooling else None

    async def increment(self, key: str, ttl: float) -> int:
        """As `ctx.state` does."""
        return 1


def answering(book: object, said: Message, cooling: bool) -> set[str]:
    """The names of the rules that answer, by the plugin's own handler."""
    names = SimpleNamespace(of=lambda wxid: wxid)
    ctx = SimpleNamespace(settings=book, state=Memory(cooling), names=names, note=lambda *_: None)
    (handler,) = shipped("keyword_reply").handlers
    work = handler.function(said, cast("Context", ctx))
    try:
        work.send(None)  # nothing in it waits
    except StopIteration as end:
        return {each.rule for each in end.value}
    raise AssertionError


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(akin(), st.randoms(use_true_random=False), st.booleans())
def test_no_message_reaches_what_is_told_to_be_shadowed(
    rows: list[Row], chance: Random, cooling: bool
) -> None:
    written = [{"reply": "x", **row} for row in rows]
    tables = rules(*rows)
    for shadow in shadows(tables):
        number = int(tables[shadow.number].at[-1])
        for each, taken_by in zip(shadow.alternatives, shadow.taken_by, strict=True):
            if taken_by is None or chance.random() < 0.5:
                continue
            # The rule with this alternative alone: of the others, nothing is told here.
            none: Row = {key: [] for key in ("equals", "contains", "contains_all", "prefix", "regex")}
            alone = {**none, each.key: list(each.words)} if each.key else none
            book = read("keyword_reply", "rules", [*written[:number], {**written[number], **alone}])
            said = (some_message(chance, rows[number], each.words) for _ in range(25))
            assert not any(str(number) in answering(book, one, cooling) for one in said)


@st.composite
def planted(draw: st.DrawFn) -> tuple[list[Row], int]:
    """Rules, and the number of one that is nothing but a narrower copy of one before it."""
    rows: list[Row] = draw(st.lists(rule, min_size=1, max_size=8))
    at = draw(st.integers(0, len(rows) - 1))
    rows[at] = {**rows[at], "cooldown": "0s", "stop": True, "enabled": True}
    copy = {**rows[at], "cooldown": draw(st.sampled_from(("0s", "5m"))), "stop": draw(st.booleans())}
    for key in ("equals", "prefix"):
        copy[key] = [word + ("z x" if key == "prefix" else "") for word in rows[at][key]]
    for key in ("contains", "contains_all"):
        copy[key] = [draw(st.sampled_from(("x", "y "))) + word + "z" for word in rows[at][key]]
    if not copy["days"]:
        copy["days"] = draw(st.sampled_from(([], ["wed"])))
    place = draw(st.integers(at + 1, len(rows)))
    return [*rows[:place], copy, *rows[place:]], place


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(planted())
def test_a_narrower_copy_of_an_earlier_rule_is_found(case: tuple[list[Row], int]) -> None:
    rows, place = case
    tables = rules(*rows)
    whole = {tables[each.number].at[-1] for each in shadows(tables) if each.is_whole}
    assert place in whole
