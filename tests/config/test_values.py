"""Durations and sizes."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.config import Duration, Size

DAYS = 24 * 60 * 60 * 1000


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("0s", 0), ("500ms", 500), ("5s", 5_000), ("10m", 600_000), ("2h", 7_200_000), ("30d", 30 * DAYS)],
)
def test_a_duration_is_milliseconds(text: str, milliseconds: int) -> None:
    assert Duration(text) == milliseconds


@pytest.mark.parametrize(
    ("text", "size"), [("7B", 7), ("64KB", 65_536), ("8MB", 8_388_608), ("1GB", 1_073_741_824)]
)
def test_a_size_is_bytes_of_which_1024_make_a_kb(text: str, size: int) -> None:
    assert Size(text) == size


@pytest.mark.parametrize(
    "text", ["", "5", "5 s", " 5s", "5S", "-5s", "1.5s", "5s5s", "５s", "5min", "99999d"]
)
def test_nothing_else_is_a_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration|must be at most"):
        Duration(text)


@pytest.mark.parametrize("text", ["", "8", "8 MB", "8mb", "8MiB", "-8MB", "9999GB"])
def test_nothing_else_is_a_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a size|must be at most"):
        Size(text)


@given(st.integers(0, 3650 * DAYS))
def test_a_duration_can_be_written_and_read_back(milliseconds: int) -> None:
    assert Duration(str(Duration(milliseconds))) == milliseconds


@given(st.integers(0, 1024**4))
def test_a_size_can_be_written_and_read_back(size: int) -> None:
    assert Size(str(Size(size))) == size


@given(st.integers(0, 3650), st.sampled_from(sorted(Duration.UNITS)))
def test_the_written_form_is_kept(amount: int, unit: str) -> None:
    duration = Duration(f"{amount}{unit}")
    assert str(duration) == f"{duration}" == duration.written == f"{amount}{unit}"
    assert pickle.loads(pickle.dumps(duration)).written == duration.written


def test_a_duration_is_seconds_for_asyncio() -> None:
    assert Duration("1500ms").seconds == 1.5
