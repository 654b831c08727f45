"""Where the values of a JSON text begin and end, without decoding them (RFC 8259, plus NaN and Infinity).

Nothing here recurses, and every byte is looked at a bounded number of times: depth and size cost time, never
the process. Strings may hold what decoders refuse: control characters, lone surrogates, broken UTF-8.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

PIECE = 64 * 1024  # characters of a text that are decoded at once

Span = tuple[int, int]
EndOf = Callable[[bytes, int], int]
Picker = Callable[[bytes], dict[str, bytes]]

# Possessive throughout (`*+`, `++`): nothing is ever tried twice, so no input is slow.
_S = rb"[ \t\r\n]*+"
_STRING = rb'"(?:[^"\\]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"'
_NUMBER = rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+"
_EMPTY = rb"\[%b\]|\{%b\}" % (_S, _S)
_SCALAR = rb"(?:%b|%b|true|false|null|NaN|-?Infinity|%b)" % (_STRING, _NUMBER, _EMPTY)
_MEMBER = rb"%b%b:%b" % (_STRING, _S, _S)
_ITEMS = rb"(?:%b%b,%b)*+(?:%b%b\]|[\[{])" % (_SCALAR, _S, _S, _SCALAR, _S)
_PAIRS = rb"(?:%b%b%b,%b)*+%b(?:%b%b\}|[\[{])" % (_MEMBER, _SCALAR, _S, _S, _MEMBER, _SCALAR, _S)

# Each step runs over scalars up to the next bracket that opens or closes something. What is empty counts as
# a scalar, and arrays that only hold each other are run over at once: a body may hold millions of them.
_Step = Callable[[bytes, int], "re.Match[bytes] | None"]
_AFTER_OPENING: dict[int, _Step] = {
    ord("["): re.compile(rb"%b(?:\]|%b)" % (_S, _ITEMS)).match,
    ord("{"): re.compile(rb"%b(?:\}|%b)" % (_S, _PAIRS)).match,
}
_AFTER_NESTED: dict[int, _Step] = {
    ord("["): re.compile(rb"%b(?:\]|,%b%b)" % (_S, _S, _ITEMS)).match,
    ord("{"): re.compile(rb"%b(?:\}|,%b%b)" % (_S, _S, _PAIRS)).match,
}

_space = re.compile(_S).match
_scalar = re.compile(_SCALAR).match
_element = re.compile(rb"%b(?:(%b)%b([,\]]))?+" % (_S, _SCALAR, _S)).match
_member = re.compile(rb"%b(%b)%b:%b(?:(%b)%b([,}]))?+" % (_S, _STRING, _S, _S, _SCALAR, _S)).match
_delimiter = re.compile(rb"%b([,\]}])" % _S).match
_openings = re.compile(rb"\[*+").match
_closings = re.compile(rb"\]*+").match

_rough_string = rb'"(?:[^"\\]++|\\.)*+"'
_rough_scalar = re.compile(rb'(?s:%b|[^\s,:"\[\]{}]++)' % _rough_string).match
_rough_bracket = re.compile(rb'(?s:(?:[^"\[\]{}]++|\[\]|\{\}|%b)*+[\[\]{}])' % _rough_string).match
# A pair of surrogates stays together, or it would not become one character.
_pair = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_piece_of_string = re.compile(rf"(?s:[^\\]++|{_pair}|\\u.{{4}}|\\.){{1,8192}}+").finditer
_ARRAY, _ARRAY_END = b"[]"
_CLOSES = {_ARRAY: _ARRAY_END, ord("{"): ord("}")}


def skip_space(buf: bytes, start: int = 0) -> int:
    """Give the position of the first byte at or after `start` that is not JSON white space."""
    match = _space(buf, start)
    return match.end() if match else start


def value_end(buf: bytes, start: int = 0) -> int:
    """Give the position just after the value at `start`; ValueError with a position if there is none."""
    match = _scalar(buf, start)
    if match:
        return match.end()
    if buf[start : start + 1] not in (b"[", b"{"):
        raise _no_json(start)
    return _container_end(buf, start)


def rough_end(buf: bytes, start: int = 0) -> int:
    """Give the position just after a value that may be damaged inside, as far as strings and brackets tell.

    Raises ValueError where not even the brackets match.
    """
    if buf[start : start + 1] not in (b"[", b"{"):
        match = _rough_scalar(buf, start)
        if not match:
            raise _no_json(start)
        return match.end()
    return _rough_container_end(buf, start)


def elements(buf: bytes, start: int = 0) -> list[Span]:
    """Give the spans of the elements of the array at `start`; ValueError with a position if there is none."""
    return list(each_element(buf, start))


def members(
    buf: bytes, start: int = 0, end_of: EndOf = value_end, most: int | None = None
) -> dict[str, Span]:
    """Give name → span of value for the object at `start`; of equal names the last counts, as for decoders.

    With `most`, no more than so many are looked at. Raises ValueError with a position if there is no object.
    """
    return _named(buf, islice(each_member(buf, start, end_of), most))


def picker(*names: str, end_of: EndOf = value_end) -> Picker:
    """Make a function from an object's JSON to the values of just these members, name → bytes.

    It runs over the members between them without looking closer, and raises ValueError for no object.
    """
    wanted = b"|".join(re.escape(name.encode()) for name in names)
    # A name with an escape is looked at: it may be a wanted one, oddly spelled.
    other = rb'(?!"(?:(?:%b)"|[^"\\]*+\\))%b' % (wanted, _MEMBER)
    skip = re.compile(rb"%b(?:%b%b%b,%b)*+" % (_S, other, _SCALAR, _S, _S)).match

    def pick(buf: bytes) -> dict[str, bytes]:
        found = _named(buf, each_member(buf, 0, end_of, skip))
        return {name: buf[a:b] for name, (a, b) in found.items() if name in names}

    return pick


def _named(buf: bytes, pairs: Iterable[tuple[Span, Span]]) -> dict[str, Span]:
    found = {}
    for (a, b), span in pairs:
        name = buf[a + 1 : b - 1]
        found[name.decode("utf-8", "replace") if b"\\" not in name else string_of(buf[a:b])] = span
    return found


def string_of(token: bytes) -> str:
    """Decode a string token; broken UTF-8 becomes U+FFFD, lone surrogates stay."""
    text = token.decode("utf-8", "replace")
    if len(text) <= PIECE or "\\" not in text:
        return str(json.loads(text, strict=False))
    if text[-1] != '"':
        raise _no_json(len(token))
    # A decoder lets no other thread run until it is done: long texts are handed to it in pieces.
    pieces = [found[0] for found in _piece_of_string(text, 1, len(text) - 1)]
    if sum(map(len, pieces)) != len(text) - 2:
        raise _no_json(1)
    return "".join(str(json.loads(f'"{piece}"', strict=False)) for piece in pieces)


def each_element(buf: bytes, start: int = 0, end_of: EndOf = value_end) -> Iterator[Span]:
    """Yield the spans of an array's elements up to its end, or up to a ValueError where it is damaged."""
    pos = _opened(buf, start, b"[")
    if _closes_at_once(buf, pos, b"]"):
        return
    delimiter: bytes = b","
    while delimiter == b",":
        match = _element(buf, pos)
        if match and match[1] is not None:
            yield match.span(1)
            pos, delimiter = match.end(), match[2]
        else:
            begin = skip_space(buf, pos)
            end = end_of(buf, begin)
            yield begin, end
            pos, delimiter = _delimited(buf, end, b"]")


def each_member(
    buf: bytes, start: int = 0, end_of: EndOf = value_end, skip: _Step | None = None
) -> Iterator[tuple[Span, Span]]:
    """Yield the spans of an object's names and values up to its end, or up to a ValueError.

    `skip` may run over members that nobody wants.
    """
    pos = _opened(buf, start, b"{")
    if _closes_at_once(buf, pos, b"}"):
        return
    delimiter: bytes = b","
    while delimiter == b",":
        skipped = skip(buf, pos) if skip else None
        match = _member(buf, skipped.end() if skipped else pos)
        if not match:
            raise _no_json(pos)
        if match[2] is not None:
            yield match.span(1), match.span(2)
            pos, delimiter = match.end(), match[3]
        else:
            end = end_of(buf, match.end())
            yield match.span(1), (match.end(), end)
            pos, delimiter = _delimited(buf, end, b"}")


def _container_end(buf: bytes, start: int) -> int:
    open_brackets = bytearray(buf[start : start + 1])
    step = _AFTER_OPENING[buf[start]]
    pos = start + 1
    while True:
        pos = _opening_arrays(buf, pos, open_brackets) if buf[pos - 1] == _ARRAY else pos
        match = step(buf, pos)
        if not match:
            raise _no_json(pos)
        pos = match.end()
        bracket = buf[pos - 1]
        if bracket in _AFTER_OPENING:
            open_brackets.append(bracket)
            step = _AFTER_OPENING[bracket]
            continue
        open_brackets.pop()
        pos = _closing_arrays(buf, pos, open_brackets) if bracket == _ARRAY_END else pos
        if not open_brackets:
            return pos
        step = _AFTER_NESTED[open_brackets[-1]]


def _rough_container_end(buf: bytes, start: int) -> int:
    open_brackets = bytearray(buf[start : start + 1])
    pos = start + 1
    while True:
        pos = _opening_arrays(buf, pos, open_brackets) if buf[pos - 1] == _ARRAY else pos
        match = _rough_bracket(buf, pos)
        if not match:
            raise _no_json(pos)
        pos = match.end()
        bracket = buf[pos - 1]
        if bracket in _CLOSES:
            open_brackets.append(bracket)
            continue
        if _CLOSES[open_brackets.pop()] != bracket:
            raise _no_json(pos - 1)
        pos = _closing_arrays(buf, pos, open_brackets) if bracket == _ARRAY_END else pos
        if not open_brackets:
            return pos


def _opening_arrays(buf: bytes, pos: int, open_brackets: bytearray) -> int:
    """Run over arrays that begin right after each other."""
    match = _openings(buf, pos)
    end = match.end() if match else pos
    open_brackets += b"[" * (end - pos)
    return end


def _closing_arrays(buf: bytes, pos: int, open_brackets: bytearray) -> int:
    """Run over arrays that end right after each other, but for the outermost: what follows is not ours."""
    match = _closings(buf, pos) if len(open_brackets) > 1 else None
    count = min(match.end() - pos, len(open_brackets) - 1) if match else 0
    if not open_brackets.endswith(b"[" * count):
        raise _no_json(pos)
    if count:
        del open_brackets[-count:]
    return pos + count


def _opened(buf: bytes, start: int, bracket: bytes) -> int:
    pos = skip_space(buf, start)
    if buf[pos : pos + 1] != bracket:
        raise _no_json(pos)
    return pos + 1


def _closes_at_once(buf: bytes, pos: int, bracket: bytes) -> bool:
    pos = skip_space(buf, pos)
    return buf[pos : pos + 1] == bracket


def _delimited(buf: bytes, end: int, closing: bytes) -> tuple[int, bytes]:
    match = _delimiter(buf, end)
    if not match or match[1] not in (b",", closing):
        raise _no_json(end)
    return match.end(), match[1]


def _no_json(pos: int) -> ValueError:
    return ValueError(f"not JSON at byte {pos}")
