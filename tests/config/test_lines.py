"""At which line of bot.toml something stands."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.config.lines import lines_of, placed
from relay.config.problems import Location
from relay.errors import Problem

EXAMPLE = (Path(__file__).parents[2] / "bot.toml").read_text("utf-8")
ODD = '''a.b = 1.5
c = [1.5, [2, "x"], {d = 1979-05-27 07:32:00, e = {f = []}}, """
[no.table]
""", 'z']
"k.e".'y' = "\\"#]"  # [[no]]

[t]
x = [
  "a", # c
  "b",
]
[[t.l]]
n = 1
[[t.l]]
n = 2
[[t.l.m]]
[t.l.m.o]
z = 2'''


def places(value: object, at: Location = ()) -> Iterator[Location]:
    """Every key and entry."""
    yield at
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*at, index))


@pytest.mark.parametrize("text", [EXAMPLE, ODD, ODD.replace("\n", "\r\n"), "", "[a]", "x = 1"])
def test_whatever_stands_in_a_file_has_a_line_and_nothing_else_has(text: str) -> None:
    known = {at[: length + 1] for at in lines_of(text) for length in range(len(at))} | {()}
    assert known == set(places(tomllib.loads(text)))


@pytest.mark.parametrize(
    ("at", "line"),
    [
        (("a", "b"), 1),
        (("c", 1, 1), 2),
        (("c", 2, "e"), 2),
        (("c", 4), 4),
        (("k.e", "y"), 5),
        (("t", "x", 1), 10),
        (("t", "l", 1), 14),
        (("t", "l", 1, "n"), 15),
        (("t", "l", 1, "m", 0, "o", "z"), 18),
    ],
)
def test_a_key_has_the_line_it_is_written_in(at: Location, line: int) -> None:
    assert lines_of(ODD)[at] == line


def test_a_problem_of_a_key_that_is_not_there_has_the_line_of_its_table() -> None:
    problems = [Problem("t.l[1].missing.too", "x"), Problem("elsewhere", "x")]
    assert [each.line for each in placed(problems, ODD)] == [14, None]


def test_where_the_file_cannot_be_read_there_are_no_lines() -> None:
    assert placed([Problem("a", "x")], "a = ")[0].line is None
