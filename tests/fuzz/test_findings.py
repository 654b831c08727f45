"""What the fuzzer ever found stays found, and what it begins with passes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import hostile
import msgspec
import pytest
from fuzz import reading, seeds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire.json_texts import values

from relay.wire import entries, scalars
from relay.wire.notifications import Reading, read_notifications

FINDINGS = sorted((Path(__file__).parent / "findings").iterdir())
PLACES = st.integers(0, 255)


@pytest.fixture(scope="module")
def receiving() -> Iterator[reading.Receiving]:
    made = reading.Receiving()
    yield made
    made.close()


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.name)
def test_what_the_fuzzer_found_stays_mended(path: Path, receiving: reading.Receiving) -> None:
    reading.read(receiving, path.read_bytes())


def test_what_the_fuzzer_begins_with_passes(receiving: reading.Receiving) -> None:
    for seed in sorted(seeds.seeds(1000))[::4]:
        reading.read(receiving, seed)


@pytest.mark.long
def test_every_hostile_value_passes_in_every_place(receiving: reading.Receiving) -> None:
    for seed in seeds.seeds(10_000_000):
        reading.read(receiving, seed)


@given(PLACES, values(odd=True).map(str.encode) | st.binary(max_size=40))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_comes_passes(receiving: reading.Receiving, place: int, value: bytes) -> None:
    reading.read(receiving, bytes([place]) + value)


@pytest.mark.long
@given(PLACES, values(odd=True).map(str.encode) | st.binary(max_size=4000))
@settings(max_examples=20_000, deadline=None, suppress_health_check=[*HealthCheck])
def test_whatever_comes_passes_at_length(receiving: reading.Receiving, place: int, value: bytes) -> None:
    reading.read(receiving, bytes([place]) + value)


def respelled(raw: bytes) -> bytes:
    return json.dumps(json.loads(raw)["content"]).encode()


def without_neighbours(text: bytes) -> Reading:
    return Reading(read_notifications(text).entries[:1])


BROKEN = {
    "content is respelled": (reading, "content_of", respelled),
    "neighbours are lost": (reading, "read_notifications", without_neighbours),
    "depth is not expected": (entries, "REFUSED", (msgspec.MsgspecError, ValueError)),
    "surrogates pass": (scalars, "_unstorable", re.compile("\0")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_noticed(
    name: str, receiving: reading.Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*BROKEN[name])
    with pytest.raises((AssertionError, RecursionError, UnicodeEncodeError)):
        receive_odd(receiving)


def receive_odd(receiving: reading.Receiving) -> None:
    for value in (b"1.50", hostile.deep(b"[", depth=5000), rb'"\ud800"'):
        receiving.part(value, hostile.entry(content=value))
        receiving.part(value, hostile.entry(from_wxid=value))
