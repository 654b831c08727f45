"""Words compared, thousands at once, as one by one."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.authoring.matching import WINDOW, Keywords, Literals, normalise, without_mention

ALPHABET = "aAéßＡ价格 @＠\u2005ﬁ"
texts = st.text(ALPHABET, max_size=12)
words = st.lists(texts.map(normalise).filter(str.strip), max_size=3).map(tuple)
rules = st.builds(Literals, words, words, words, words)


@given(st.text())
def test_what_is_normalised_stays_as_it_is(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.lists(rules, max_size=8), texts)
def test_all_rules_at_once_find_what_each_finds_alone(listed: list[Literals], text: str) -> None:
    alone = {number for number, each in enumerate(listed) if each.match(text)}
    assert Keywords(listed).matching(text) == alone


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("@小助手\u2005价格", "价格"),
        ("@Zhang San\u2005price", "price"),
        ("＠bot price", "price"),
        ("＠bot\u3000price", "price"),
        (" @a\u2005@b\u2005 price", "price"),
        ("@a @b c\u2005price", "price"),
        ("@bot\nprice", "price"),
        ("@bot", "@bot"),
        ("price @bot", "price @bot"),
        ("ann@example.com", "ann@example.com"),
        ("@ price", "@ price"),
    ],
)
def test_leading_mentions_are_taken_off(text: str, rest: str) -> None:
    assert without_mention(text) == rest


@pytest.mark.parametrize(
    ("rule", "text", "matches"),
    [
        (Literals(equals=("price",)), "@bot\u2005 Price ", True),
        (Literals(equals=("@bot price",)), "@bot price", True),
        (Literals(prefix=("价格",)), "＠小助手 价格多少", True),
        (Literals(prefix=("价格",)), "问价格", False),
        (Literals(contains=("价格",)), "问价格", True),
        (Literals(contains_all=("价格", "红")), "红色的价格", True),
        (Literals(contains_all=("价格", "红")), "价格", False),
        (Literals(contains_all=("a", "aa")), "aa", True),
        (Literals(), "anything", False),
    ],
)
def test_each_kind_of_words_matches_in_its_own_way(rule: Literals, text: str, matches: bool) -> None:
    assert Keywords([rule]).matching(text) == ({0} if matches else set())
    assert rule.match(text) is matches


def test_without_any_words_nothing_is_found() -> None:
    assert Keywords([]).matching("hi") == set()


def test_a_word_is_found_wherever_it_stands_in_a_long_text() -> None:
    words = Keywords([Literals(contains=("price",))])
    for begin in range(WINDOW - 6, WINDOW + 2):
        assert words.matching("x" * begin + "price" + "x" * WINDOW) == {0}
    assert words.matching("x" * 3 * WINDOW) == set()


class Seen:
    """Stands in for the automaton, and notes how much it is given at once."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def find_matches_as_indexes(self, text: str, *, overlapping: bool) -> list[tuple[int, int, int]]:
        assert overlapping
        self.lengths.append(len(text))
        return []


def test_a_long_text_is_not_looked_at_all_at_once() -> None:
    keywords, seen = Keywords([Literals(contains=("aa",))]), Seen()
    keywords._automaton = seen  # type: ignore[assignment]  # what places words have in it takes memory
    keywords.matching("a" * 1_000_000)
    assert max(seen.lengths) <= WINDOW + 2


@pytest.mark.parametrize("text", ["@a " * 600_000, "@" * 600_000, "@a" + " " * 600_000])
def test_no_text_of_mentions_is_slow(text: str) -> None:
    began = time.process_time()
    without_mention(text)
    assert time.process_time() - began < 5
