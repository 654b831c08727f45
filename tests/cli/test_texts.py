"""Everything that is said exists in both languages."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from types import ModuleType

import pytest

from relay.cli import texts
from relay.console import texts as console
from relay.language import Text, language_of
from relay.operating import diagnosis, operator, questions
from relay.store import texts as storage
from relay.store.states import DeliveryKind, DeliveryState, Evidence, MessageState
from relay.wire.content import TYPES


def texts_of(module: ModuleType) -> Iterator[tuple[str, Text]]:
    for name, value in vars(module).items():
        if isinstance(value, Text):
            yield name, value
        elif isinstance(value, Mapping) and name.isupper():
            yield from ((f"{name}[{key}]", text) for key, text in value.items() if isinstance(text, Text))


EVERY = [
    (name, text)
    for module in (diagnosis, texts, console, questions, operator, storage)
    for name, text in texts_of(module)
]
PLURAL = {"s"}
"""What English alone needs to be filled in."""


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name} - PLURAL


@pytest.mark.parametrize(("name", "text"), EVERY, ids=[name for name, _ in EVERY])
def test_a_text_says_the_same_in_both_languages(name: str, text: Text) -> None:
    assert text.zh
    assert text.en
    assert places(text.zh) == places(text.en)
    assert text.en.isascii() or not {c for c in text.en if "\u4e00" <= c <= "\u9fff"}


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (questions.MESSAGE_STATES, MessageState),
        (questions.DELIVERY_STATES, DeliveryState),
        (texts.STATE_MEANINGS, DeliveryState),
        (texts.KINDS, DeliveryKind),
        (texts.EVIDENCES, Evidence),
        (texts.TYPES, TYPES),
    ],
)
def test_every_state_kind_and_type_has_a_name(words: Mapping[str, Text], keys: Iterator[str]) -> None:
    assert set(words) == {str(key) for key in keys}


def test_what_is_filled_in_is_not_filled_in_again() -> None:
    assert Text("{a}", "{a}").said("en", a="{b}") == "{b}"


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB.UTF-8"}, "en"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "zh_TW"}, "zh"),
        ({}, "en"),
    ],
)
def test_the_environment_speaks_as_posix_decides(environ: dict[str, str], language: str) -> None:
    assert language_of(environ) == language
