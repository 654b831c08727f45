"""Tolerant reading of single values: the platform's ids, texts and times, whatever type they arrive with."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from relay.wire.spans import string_of

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

_unstorable = re.compile("[\ud800-\udfff\0]")
_integer = re.compile(r"-?[0-9]{1,18}")


def storable(text: str) -> str:
    """Replace what UTF-8 and SQL text cannot hold, lone surrogates and NUL, by U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return _unstorable.sub("\ufffd", text)


def text_of_token(token: bytes) -> str:
    """Read a JSON value as text: a string's characters, a number's own spelling, "" for everything else."""
    if token[:1] == b'"':
        return storable(string_of(token))
    if token[:1].isdigit() or (token[:1] == b"-" and token[1:2].isdigit()):
        return token.decode("ascii")
    return ""


def id_of_token(token: bytes) -> str:
    """Read an id that may be absent: null, "", 0 and "0" all mean that there is none."""
    text = text_of_token(token)
    return "" if text in ("0", "-0") else text


def int_of_token(token: bytes) -> int:
    """Read a number, or a string that holds one, as an integer of 64 bits: clamped, and 0 when unreadable."""
    text = text_of_token(token).strip()
    if _integer.fullmatch(text):
        return int(text)
    try:
        exact = Decimal(text)
        return int(min(max(exact, Decimal(INT64_MIN)), Decimal(INT64_MAX)))
    except (InvalidOperation, ValueError):  # no number, or NaN
        return 0
