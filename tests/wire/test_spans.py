from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.json_texts import values

from relay.wire.spans import elements, members, picker, rough_end, value_end

ANY = values(odd=True)


def loads(text: str | bytes) -> object:
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogatepass")
    return json.loads(text, strict=False, parse_int=str, parse_float=str, parse_constant=str)


@given(ANY)
def test_a_value_ends_where_the_decoder_says(text: str) -> None:
    raw = text.encode()
    assert value_end(raw + b" ,") == len(raw)
    assert rough_end(raw + b" ,") == len(raw)


@given(ANY.map(loads).map(json.dumps) | st.text('[]{}":,01eE.-+ \\utnafrlsei', max_size=12))
def test_the_scanner_accepts_what_the_decoder_accepts(text: str) -> None:
    raw = text.strip(" \t\r\n")
    try:
        loads(raw)
        valid = True
    except ValueError:
        valid = False
    assert is_json(raw.encode()) is valid


def is_json(raw: bytes) -> bool:
    try:
        return value_end(raw) == len(raw)
    except ValueError:
        return False


@given(ANY)
def test_members_and_elements_are_the_decoders(text: str) -> None:
    raw, value = text.encode(), loads(text)
    if isinstance(value, dict):
        assert {name: loads(raw[a:b]) for name, (a, b) in members(raw).items()} == value
    elif isinstance(value, list):
        assert [loads(raw[a:b]) for a, b in elements(raw)] == value
    else:
        assert value_end(raw) == len(raw)


@given(ANY.filter(lambda text: text[:1] == "{"))
def test_a_picker_finds_what_members_finds(text: str) -> None:
    raw = text.encode()
    found = {name: raw[a:b] for name, (a, b) in members(raw).items() if name in ("a", "content", "你")}
    assert picker("a", "content", "你")(raw) == found


def test_a_picker_knows_an_escaped_name() -> None:
    assert picker("a")(rb'{"x":0,"\u0061":1,"b":2,"c":3}') == {"a": b"1"}


@pytest.mark.parametrize("raw", [b'{"x":1,}', b'{"x":1', b'{"x":1 "a":2}', b"[1]", b'{"x":1,"a"}'])
def test_a_picker_refuses_what_is_no_object(raw: bytes) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        picker("a")(raw)


def test_of_equal_names_the_last_counts() -> None:
    raw = rb'{"a":1,"\u0061":[2]}'
    begin, end = members(raw)["a"]
    assert raw[begin:end] == b"[2]"


def test_a_scan_may_start_anywhere() -> None:
    raw = b'x [1, {"a": 2}]'
    assert elements(raw, 1) == [(3, 4), (6, 14)]
    assert members(raw, 6) == {"a": (12, 13)}


NOT_JSON = [
    b"",
    b"x",
    b"[1,]",
    b"[1 2]",
    b'{"a":}',
    b'{"a":1,}',
    b"{1:2}",
    b"[}",
    b'{"a":[}',
    b"[",
    b'"',
    rb'"\x"',
    b"[01]",
]


@pytest.mark.parametrize("raw", NOT_JSON)
def test_what_is_not_json_raises_with_a_position(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"not JSON at byte \d+"):
        value_end(raw)
    with pytest.raises(ValueError, match=r"not JSON at byte \d+"):
        (members if raw[:1] == b"{" else elements)(raw)


@pytest.mark.parametrize("raw", [b"[1,]", b"[1 2]", b'{"a":}', rb'["\x"]', b"[[nonsense], {:}]"])
def test_a_rough_scan_needs_only_strings_and_brackets(raw: bytes) -> None:
    assert rough_end(raw + b" ") == len(raw)


@pytest.mark.parametrize("raw", [b"[}", b"[[]", b'["]', b"", b","])
def test_a_rough_scan_still_needs_those(raw: bytes) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        rough_end(raw)


@pytest.mark.parametrize(
    "raw", [b'"\xff\xfe"', rb'"\ud800"', b'"\x00\n"', b"NaN", b"-Infinity", b"-" + b"9" * 5000]
)
def test_values_that_decoders_refuse_have_an_end(raw: bytes) -> None:
    assert value_end(raw) == len(raw)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_depth_costs_no_stack(opening: bytes) -> None:
    closing = opening.replace(b'"a":', b"").translate(bytes.maketrans(b"[{", b"]}"))[::-1]
    raw = opening * 100_000 + b"1" + closing * 100_000
    assert value_end(raw) == rough_end(raw) == len(raw)


def _keys(count: int) -> bytes:
    return b",".join(b'"k%d": %d' % (i, i) for i in range(count))


HOSTILE: dict[str, Callable[[], bytes]] = {
    "many keys": lambda: b"{" + _keys(300_000) + b"}",
    "many keys, cut": lambda: b"{" + _keys(100_000),
    "many open brackets": lambda: b"[" * 200_000,
    "many open strings": lambda: b'["' * 500_000,
    "an endless string": lambda: b'["' + b"\\u00e9" * 500_000,
    "an endless number": lambda: b"[" + b"1" * 5_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_input_is_slow(name: str) -> None:
    """Linear in the input: these take seconds at most; anything quadratic would take hours."""
    raw, began = HOSTILE[name](), time.process_time()
    for scan in (value_end, rough_end, picker("a"), elements):
        try:
            scan(raw)
        except ValueError:
            assert scan is elements or name != "many keys"
    assert time.process_time() - began < 15
