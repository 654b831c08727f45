"""Rules that never get their turn: what is told is so, and what is so and plain to see is told."""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import Any

import pytest
from linting.tables import EAST, WEST, Row, decided, message, named, read, rules, told

from relay import Message
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
        ({"contains_all": ["price", "red"]}, {"contains": ["price"]}),
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
PARTS = (*WORDS, "@x ", "@x\u2005", " ", "\n", "z")
PEOPLE = ("1111111", "2222222", "3333333")
LISTED = (["east"], ["west"], ["east", "west"])
SOME = ([PEOPLE[0]], [PEOPLE[1]], list(PEOPLE[:2]))
CONDITIONS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("chats", "not_chats"), LISTED),
    **dict.fromkeys(("senders", "not_senders", "accounts"), SOME),
    "chat_type": ("room", "private"),
    "hours": ("09:00-18:00", "22:00-06:00", "08:00-20:00"),
    "days": (["mon"], ["mon", "tue"], ["sun"]),
    "cooldown": ("1m",),
    "late": ("act",),
    "stop": (False,),
    "enabled": (False,),
    "observe": (True,),
}


def some_rule(chance: Random) -> Row:
    """A rule that looks for a little, on few conditions."""
    row: Row = {}
    for key in chance.sample(
        ("equals", "contains", "contains_all", "prefix", "contains"), chance.randint(0, 2)
    ):
        row[key] = chance.choices(WORDS, k=chance.randint(1, 2))
    if chance.random() < 0.2:
        row["regex"] = [chance.choice([pattern for pattern in PATTERNS if pattern])]
    return row | changed(chance, chance.choice((0, 0, 1, 2)))


def changed(chance: Random, many: int) -> Row:
    return {key: chance.choice(CONDITIONS[key]) for key in chance.sample(sorted(CONDITIONS), many)}


def akin(chance: Random) -> list[Row]:
    """Rules that differ from the first in little, so that many are shadowed, and others nearly are."""
    first = some_rule(chance)
    others = [{**first, **changed(chance, chance.randint(0, 2))} for _ in range(3)]
    words = {
        **first,
        **{key: [f"{word}z" for word in first[key]] for key in first if key in ("prefix", "contains")},
    }
    rows = [first, *others, words, some_rule(chance)]
    chance.shuffle(rows)
    return [row for row in rows if not refused(row)]


def refused(row: Row) -> bool:
    """Whether it takes back all that it wants."""
    pairs = (("chats", "not_chats"), ("senders", "not_senders"))
    return any(row.get(key) and set(row[key]) <= set(row.get(other, ())) for key, other in pairs)


def some_message(chance: Random, rule: Row, words: tuple[str, ...]) -> Message:
    """A message with these words in it, and as the rule wants it for the rest, more often than not."""
    return message(
        "".join([*words, *chance.choices(PARTS, k=chance.choice((0, 0, 1, 2)))]),
        chat=chance.choice((EAST, WEST)),
        chat_type=rule.get("chat_type") or chance.choice(("room", "private")),
        sender=chance.choice(rule.get("senders") or PEOPLE),
        account=chance.choice(rule.get("accounts") or PEOPLE),
        type=chance.choice(("text", "text", "text", "picture")),
        late=chance.random() < 0.3,
        time=dt.datetime(2026, 11, 16, tzinfo=dt.UTC) + dt.timedelta(minutes=chance.randrange(2 * 24 * 60)),
    )


class Memory:
    """A state in which some cooldowns are not over."""

    def __init__(self, cooling: bool) -> None:
        self.cooling = cooling

    async def get(self, key: str) -> int | None:
        """As `ctx.state` does."""
        return 1 if self.cooling else None

    async def compare_and_set(self, key: str, expected: object, value: object, ttl: float) -> bool:
        """As `ctx.state` does."""
        return True


def answering(book: object, said: Message, cooling: bool) -> set[str]:
    """The names of the rules that answer, by the plugin's own handler."""
    return named(decided("keyword_reply", book, said, state=Memory(cooling), now=said.time))


@pytest.mark.parametrize("seed", range(6))
def test_no_message_reaches_what_is_told_to_be_shadowed(seed: int) -> None:
    chance = Random(seed)
    assert sum(lie(chance, akin(chance)) for _ in range(12)) > 10  # else there was nothing to lie about


def lie(chance: Random, rows: list[Row]) -> int:
    """Fail where a message reaches what is said to be shadowed; return how much was said to be."""
    looked = 0
    written = [{"reply": "x", **row} for row in rows]
    tables = rules(*rows)
    for shadow in shadows(tables):
        number = int(tables[shadow.number].at[-1])
        for each, taken_by in zip(shadow.alternatives, shadow.taken_by, strict=True):
            if taken_by is None:
                continue
            looked += 1
            # The rule with this alternative alone: of the others, nothing is told here.
            none: Row = {key: [] for key in ("equals", "contains", "contains_all", "prefix", "regex")}
            alone = {**none, each.key: list(each.words)} if each.key else none
            book = read("keyword_reply", "rules", [*written[:number], {**written[number], **alone}])
            said = (some_message(chance, rows[number], each.words) for _ in range(25))
            assert not any(str(number) in answering(book, one, chance.random() < 0.5) for one in said)
    return looked


@pytest.mark.parametrize("seed", range(100, 140))
def test_a_narrower_copy_of_an_earlier_rule_is_found(seed: int) -> None:
    chance = Random(seed)
    rows = [row for row in (some_rule(chance) for _ in range(8)) if not refused(row)]
    at = chance.randrange(len(rows))
    for key in ("cooldown", "stop", "enabled", "observe"):
        rows[at].pop(key, None)
    copy = {**rows[at], **chance.choice(({}, {"cooldown": "5m"}, {"stop": False}, {"days": ["wed"]}))}
    copy["days"] = rows[at].get("days", copy.get("days", []))
    for key in ("contains", "contains_all", "prefix"):
        copy[key] = [f"{'' if key == 'prefix' else 'x '}{word}z" for word in rows[at].get(key, [])]
    place = chance.randint(at + 1, len(rows))
    tables = rules(*rows[:place], copy, *rows[place:])
    assert place in {tables[each.number].at[-1] for each in shadows(tables) if each.is_whole}
