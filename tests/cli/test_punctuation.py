"""Chinese is written with Chinese punctuation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.conftest import Relay

ROOT = Path(__file__).parents[2]
CHINESE = "\u3400-\u9fff"
WRONG = re.compile(rf"[{CHINESE}」』）]([,;:!?()]|\.(?=\s|$))")
FILES = sorted(path for folder in ("relay", "plugins") for path in (ROOT / folder).rglob("*.py"))


def chinese(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def test_no_chinese_text_goes_on_in_ascii_punctuation() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {found[0]}"
        for path in FILES
        for line, text in chinese(path)
        if (found := WRONG.search(text))
    ]
    assert wrong == []


@pytest.mark.parametrize("text", ["空正文: 什么也没有", "好,", "（见「价格」)", "没有了."])
def test_the_rule_itself_finds_what_is_wrong(text: str) -> None:
    assert WRONG.search(text)


@pytest.mark.parametrize("text", ["缺少 , 或 ]", "报价单.pdf", "空正文：什么也没有"])
def test_the_rule_itself_lets_pass_what_is_right(text: str) -> None:
    assert not WRONG.search(text)


@pytest.mark.parametrize(
    "command", [("diagnose",), ("status",), ("check",), ("messages",), ("explain", "m1")]
)
def test_no_screen_has_it_either(relay: Relay, filled: Path, command: tuple[str, ...]) -> None:
    """Code puts words together, too."""
    shown = relay(*command, "--config", str(filled)).out
    assert [found[0] for line in shown.splitlines() if (found := WRONG.search(line))] == []
