"""RE2: what is found, and where a pattern is wrong."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.authoring.patterns import Pattern, Patterns
from relay.config.problems import UnfitError


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("a(b", "missing ) at character 2"),
        ("价格(报", "missing ) at character 3"),
        (r"(a)\((b", "missing ) at character 6"),
        ("[(](a", "missing ) at character 4"),
        ("a)b", "unexpected ) at character 2"),
        ("价[格", "missing ] at character 2"),
        ("a**", "bad repetition operator at character 2"),
        ("a|*", "no argument for repetition operator at character 3"),
        ("x{2000}", "invalid repetition size at character 2"),
        ("ab\\", "trailing \\ at character 3"),
        ("x(?=y)", "invalid perl operator at character 2"),
        (r"(.)\1", "invalid escape sequence at character 4"),
    ],
)
def test_a_mistake_in_a_pattern_is_told_with_its_position(pattern: str, said: str) -> None:
    with pytest.raises(UnfitError) as caught:
        Pattern(pattern)
    assert str(caught.value) == said


def test_what_re2_lacks_on_purpose_is_explained() -> None:
    with pytest.raises(UnfitError) as caught:
        Pattern("(?!x)")
    assert str(caught.value.hint) == "RE2 has no lookaround and no backreferences"


@given(st.text(max_size=20))
def test_no_pattern_does_more_than_complain(pattern: str) -> None:
    with contextlib.suppress(UnfitError):
        Pattern(pattern).search("价格 42")


def test_named_groups_come_with_the_match() -> None:
    found = Pattern(r"(?P<item>\S+)\s*(?P<many>\d+)?件?的价格").search("红茶 3件的价格")
    assert found == {"item": "红茶", "many": "3"}


def test_a_group_without_a_part_in_the_match_is_empty() -> None:
    assert Pattern("(?P<a>a)|(?P<b>b)").search("b") == {"a": "", "b": "b"}


def test_the_text_is_searched_as_received() -> None:
    assert Pattern("PRICE").search("price") is None
    assert Pattern("(?i)PRICE").search("price") == {}
    assert Pattern("A").search("Ａ") is None


def test_a_pattern_that_hangs_others_is_quick() -> None:
    assert Pattern("(a+)+$").search("a" * 20_000 + "b") is None


def test_half_a_character_is_no_obstacle() -> None:
    assert Pattern("price").search("\ud800price") == {}


PIECES = st.sampled_from(["a", "(?i)b", "(?P<n>c)", "^d", "e$", "f|g", "\\Qh", "\\Qa\\E", "价", ".x"])


@given(st.lists(PIECES.map(Pattern), max_size=5), st.text("abBcdefgh价xX\n", max_size=6))
def test_many_patterns_as_one_overlook_none(patterns: list[Pattern], text: str) -> None:
    found = [pattern for pattern in patterns if pattern.search(text) is not None]
    assert Patterns(patterns).may_match(text) or not found


def test_many_patterns_as_one_tell_that_none_matches() -> None:
    patterns = [Pattern("(?i)a"), Pattern("(?P<n>b)"), Pattern("(?P<n>c)")]
    assert [Patterns(patterns).may_match(text) for text in ("A", "B", "c")] == [True, False, True]
    assert not Patterns([]).may_match("a")


def test_a_pattern_that_quotes_to_its_end_quotes_no_other() -> None:
    assert Patterns([Pattern(r"a\Qb"), Pattern(r"\Qc\E")]).may_match("c")
