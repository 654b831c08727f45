"""Patterns that match whatever is said."""

from __future__ import annotations

from functools import lru_cache

import re2

SAMPLES = (
    *("a", "Z", "你", "１", "7", "?", "。", "😀", "é", "ж", "_"),
    *("好的", "ok, thanks", "请问价格是多少？", "https://example.com/x?y=1", "13800138000", "🌹🌹"),
    *("/help", "#1", "!", "@小王 在吗", "长" * 1000),
)
"""Texts that have next to nothing in common."""
NEXT = ("\n", "a", " ", "你")
"""What may come next, as far as an empty match can tell: a line's end, a letter of ASCII, any other."""


@lru_cache(maxsize=20_000)
def is_certain(pattern: str) -> bool:
    """Whether it matches every text that is not empty: nothing at all, at the beginning, is enough for it."""
    if r"\Q" in pattern:
        return False
    options = re2.Options()
    options.log_errors = False
    try:
        empty_then_one = re2.compile(rf"\A(?:{pattern})(?s:.)\z", options)
    except re2.error:
        return False
    return all(empty_then_one.search(sign.encode()) is not None for sign in NEXT)


def is_likely(pattern: str) -> bool:
    """Whether it matches all of a few texts that have next to nothing in common."""
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error:
        return False
    return all(compiled.search(text.encode()) is not None for text in SAMPLES)
