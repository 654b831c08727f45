"""Finds the text of a JSON value inside a larger one, to compare it and pass it on byte for byte."""

from __future__ import annotations

import json
import re
import sys

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SCALAR = re.compile(r"[^\s,\]}]+")
_STEP = re.compile(r'[{}\[\]]|"(?:[^"\\]|\\.)*"', re.DOTALL)


class NotJsonError(ValueError):
    """The text is not JSON."""


def text_of(body: bytes) -> str:
    """Give bytes as text from which `bytes_of` gives the same bytes, even where they are not UTF-8."""
    return body.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Give the bytes that `text_of` made this of."""
    return text.encode("utf-8", "surrogateescape")


def check(text: str) -> None:
    """Raise NotJsonError unless this is JSON; NaN, deep nesting and endless numbers pass."""
    try:
        json.loads(text, strict=False)
    except json.JSONDecodeError as exc:
        raise NotJsonError(str(exc)) from exc
    except (ValueError, RecursionError):
        return  # well-formed as far as it was read, only too much for this reader


def value_of(text: str) -> object:
    """Read a value; None where it is too deep or too long to be one that the platform looks at."""
    try:
        value: object = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    return value


def members(text: str) -> dict[str, str]:
    """Give the members of an object as name and text; {} if it is none, NotJsonError if it breaks off."""
    found: dict[str, str] = {}
    at = _after_space(text, 0)
    if text[at : at + 1] != "{":
        return found
    at = _after_space(text, at + 1)
    while text[at : at + 1] == '"':
        end = _end(text, at)
        name = str(json.loads(text[at:end], strict=False))
        at = _after_space(text, _after_space(text, end) + 1)
        end = _end(text, at)
        found[name] = text[at:end]
        at = _next(text, end)
    return found


def items(text: str) -> list[str]:
    """Give the items of an array as text; [] if it is none."""
    found: list[str] = []
    at = _after_space(text, 0)
    if text[at : at + 1] != "[":
        return found
    at = _after_space(text, at + 1)
    while text[at : at + 1] not in ("]", ""):
        end = _end(text, at)
        found.append(text[at:end])
        at = _next(text, end)
    return found


def _next(text: str, end: int) -> int:
    at = _after_space(text, end)
    return _after_space(text, at + 1) if text[at : at + 1] == "," else at


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _end(text: str, at: int) -> int:
    """Give the end of the value that begins here, without recursion however deep it is."""
    if text[at : at + 1] not in ("{", "["):
        match = _STRING.match(text, at) or _SCALAR.match(text, at)
        if match is None:
            raise NotJsonError("a value is missing")
        return match.end()
    depth = 0
    for step in _STEP.finditer(text, at, sys.maxsize):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(step.group(), 0)
        if depth == 0:
            return step.end()
    raise NotJsonError("a bracket is not closed")
