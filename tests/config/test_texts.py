"""Whatever is said about a mistake is said in both languages, and never in pydantic's or tomllib's words."""

from __future__ import annotations

import string
from typing import get_args

import pytest
from pydantic_core.core_schema import ErrorType

from relay.config import syntax_texts, texts
from relay.config.complaints import AUTHORS, EXPECTED, NOUNS, WORDED
from relay.language import Said, Text, finished, joined

EVERY = [
    (f"{module.__name__}.{name}", text)
    for module in (texts, syntax_texts)
    for name, text in vars(module).items()
    if isinstance(text, Text)
]
SAME = {"relay.config.texts.UUID"}
"""What has the same name everywhere."""


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize(("name", "text"), EVERY, ids=[name for name, _ in EVERY])
def test_a_text_says_the_same_in_both_languages(name: str, text: Text) -> None:
    assert places(text.zh) == places(text.en)
    chinese = {letter for letter in text.en if "\u4e00" <= letter <= "\u9fff"}
    assert not chinese
    assert text.zh != text.en or text.en.startswith("{") or name in SAME


UNREACHABLE = {
    "no_such_attribute", "json_invalid", "json_type", "needs_python_object", "recursion_loop",
    "recursion_depth_exceeded", "frozen_field", "frozen_instance", "invalid_key", "get_attribute_error",
    "default_factory_not_called", "iteration_error", "string_unicode", "set_item_not_hashable",
    "bytes_invalid_encoding", "missing_sentinel_error", "ellipsis_error", "is_instance_of", "is_subclass_of",
    "callable_type", "unexpected_positional_argument", "missing_positional_only_argument",
    "multiple_argument_values",
}  # fmt: skip
"""What no TOML table can give rise to; should one do it nevertheless, `texts.UNFIT` is said."""


@pytest.mark.parametrize("kind", get_args(ErrorType))
def test_every_complaint_of_pydantic_has_words_of_ours(kind: str) -> None:
    assert (kind in EXPECTED) + (kind in NOUNS) + (kind in WORDED) + (kind in AUTHORS) == (
        kind not in UNREACHABLE
    )


def test_a_string_is_the_same_in_both_languages() -> None:
    assert finished("as it is {x}") == Said("as it is {x}", "as it is {x}")


def test_a_filled_text_is_not_filled_again() -> None:
    assert Text("甲{a}", "a {a}", "code").filled(a="{b}") == Said("甲{b}", "a {b}", "code")


def test_texts_are_joined_as_each_language_does() -> None:
    assert joined([texts.LIST, texts.TEXT], "或", " or ") == Said("列表或文本", "a list or text")
