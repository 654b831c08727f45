"""`[chats]`: names for people, which stand for wxids."""

# ruff: noqa: E501 -- a complaint is told on one line, so it is written on one

from __future__ import annotations

import pytest
from config.conftest import Read, Told
from hypothesis import given
from hypothesis import strategies as st

from relay.config import Chats
from relay.config.chats import is_chat_id, read_chats


def test_a_name_stands_for_a_wxid_or_several(read: Read) -> None:
    chats = read(chats='east = "R:1"\nsales = ["east", "R:2"]').chats
    assert chats.resolve("east") == ("R:1",)
    assert chats.resolve("sales") == ("R:1", "R:2")


def test_names_nest_in_any_order_and_each_wxid_comes_once(read: Read) -> None:
    chats = read(chats='all = ["b", "a", "R:9"]\na = ["R:1", "R:2"]\nb = ["R:2", "a", "R:3"]').chats
    assert chats.resolve("all") == ("R:2", "R:1", "R:3", "R:9")


def test_a_wxid_stands_for_itself(read: Read) -> None:
    assert read().chats.resolve("R:10950000000000001") == ("R:10950000000000001",)


def test_a_name_wins_over_an_id(read: Read) -> None:
    assert read(chats='123456 = "R:1"').chats.resolve("123456") == ("R:1",)


@pytest.mark.parametrize("text", ["R:1", "7881300000000001", "1688850000000001", "wmAbCdEf_-123"])
def test_these_are_ids(text: str) -> None:
    assert is_chat_id(text)


@pytest.mark.parametrize("text", ["", "R:", "R:1 2", "east", "12345", "wm", "r:1", "东区"])
def test_these_are_none(text: str) -> None:
    assert not is_chat_id(text)


def test_an_unknown_name_is_refused_when_asked_for() -> None:
    with pytest.raises(ValueError, match="`east` is not in"):
        Chats().resolve("east")


ADD = "add it there, or use a wxid: `R:…` and `7881…` are taken as they are"


@pytest.mark.parametrize(
    ("lines", "complaints"),
    [
        ('a = "nobody"', [f'chats.a = "nobody": `nobody` is not in [chats] ({ADD})']),
        ('east = "R:1"\na = ["R:2", "eest"]', ['chats.a[1] = "eest": `eest` is not in [chats] (did you mean `east`?)']),
        ("a = 3", ["chats.a = 3: expected a chat or a list of chats, found a whole number"]),
        ("a = [3]", ["chats.a[0] = 3: expected a chat, found a whole number"]),
        ('a = "a"', ["chats.a: contains itself: a → a (take one of them out)"]),
        ('c = "a"\nb = ["c"]\na = ["R:1", "b"]', ["chats.a: contains itself: a → b → c → a (take one of them out)"]),
        ('a = "b"\nb = "a"\nc = "d"\nd = "c"', ["chats.a: contains itself: a → b → a (take one of them out)", "chats.c: contains itself: c → d → c (take one of them out)"]),
        ('"x y" = "nobody"', [f'chats."x y" = "nobody": `nobody` is not in [chats] ({ADD})']),
    ],
)  # fmt: skip
def test_a_mistake_in_chats_is_told_in_these_words(told: Told, lines: str, complaints: list[str]) -> None:
    assert told(chats=lines) == complaints


NAMES = st.sampled_from(["a", "b", "c", "d", "e"])


@given(st.dictionaries(NAMES, st.lists(NAMES | st.sampled_from(["R:1", "R:2"]), max_size=4)))
def test_whatever_refers_to_whatever_the_answer_is_wxids_or_problems(raw: dict[str, list[str]]) -> None:
    chats, problems = read_chats(raw)
    if not problems:
        assert all(wxid.startswith("R:") for wxids in chats.names.values() for wxid in wxids)
        assert list(chats.names) == list(raw)


def test_a_long_chain_of_names_is_no_problem() -> None:
    raw = {f"n{i}": f"n{i + 1}" for i in range(5_000)} | {"n5000": "R:1"}
    chats, problems = read_chats(raw)
    assert problems == []
    assert chats.resolve("n0") == ("R:1",)
