"""What the bot has written down in English, told in Chinese."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from relay.cli.stored import told

STORE = Path(__file__).parents[2] / "relay" / "store" / "sqlite"


@pytest.mark.parametrize(
    ("stored", "chinese"),
    [
        ("copy of m2", "m2 的副本"),
        ("no answer within 10 s; no echo came", "10 秒内没有应答；没有等到回声"),
        ("failure event: room is gone", "失败事件：room is gone"),
        ("errcode 400: 参数错误; 8 attempts used up", "errcode 400: 参数错误；8 次尝试已用完"),
        ("chat R:1 is not in plugins.hello.chats", "R:1 不在 plugins.hello.chats 里"),
        (
            "h: str is no decision: write Reply(…) around it at p.py:7",
            "h：str 不是决定：写 Reply(…)（p.py:7）",
        ),
        ("h: KeyError at p.py:9, x.py:2", "h：KeyError（p.py:9, x.py:2）"),
        ("to a question: it goes to which", "回答了提问，交给 which"),
        ("many(): contains: none of 价格", "many()：contains：没有 价格"),
        (
            "did not load: p.py:1: ImportError (did you mean `Reply`?)",
            "没有加载：p.py:1: ImportError（是不是想写 `Reply`？）",
        ),
        ("", ""),
    ],
)
def test_what_is_known_is_chinese_and_the_rest_stays(stored: str, chinese: str) -> None:
    assert told(stored, "zh") == chinese
    assert told(stored, "en") == stored


def test_every_reason_of_the_guard_is_known() -> None:
    text = (STORE / "guard.py").read_text("utf-8")
    reasons = re.findall(r'(?:reason=|return )"([^"]+)"', text)
    assert len(reasons) >= 5
    assert [reason for reason in reasons if told(reason, "zh") == reason] == []


def test_every_error_that_the_store_writes_is_known() -> None:
    text = (STORE / "sending.py").read_text("utf-8")
    found = re.findall(r"error = (?:coalesce\([^)]*\) \|\| )?'(?:; )?([^']+)'", text)
    errors = [error for error in found if error != "account "]
    assert len(errors) >= 3
    assert [error for error in errors if told(error, "zh") == error] == []
