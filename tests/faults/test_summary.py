"""The table at the end says of every part what came of it."""

from __future__ import annotations

import io
from typing import Literal

import pytest
from faults.summary import Summary, subject
from rich.console import Console

Outcome = Literal["passed", "failed", "skipped"]


def report(
    name: str, outcome: Outcome = "passed", when: Literal["setup", "call"] = "call", **told: object
) -> pytest.TestReport:
    properties: list[tuple[str, object]] = list(told.items())
    where = ("tests/faults/test_kills.py", 1, "test")
    return pytest.TestReport(
        name, where, {}, outcome, None, when, user_properties=properties, duration=30.0, sections=()
    )


def printed(summary: Summary) -> str:
    screen = io.StringIO()
    Console(file=screen, width=150).print(summary.table())
    return screen.getvalue()


@pytest.mark.parametrize(
    ("nodeid", "words"),
    [
        ("t.py::test_all_holds[3-25]", "all holds"),
        ("t.py::test_all_holds[mid echo-0-25]", "all holds (mid echo)"),
        ("t.py::test_all_holds[cut]", "all holds (cut)"),
        ("t.py::test_all_holds", "all holds"),
    ],
)
def test_parts_of_one_test_are_one_subject(nodeid: str, words: str) -> None:
    assert subject(nodeid) == words


def test_figures_of_all_parts_are_added_up() -> None:
    summary = Summary()
    for part in range(2):
        summary.add(report(f"t.py::test_kills[{part}-25]", figures={"faults": 25, "answered": 700}))
    table = printed(summary)
    assert "50" in table
    assert "1,400" in table


def test_violations_are_named_and_counted() -> None:
    summary = Summary()
    summary.add(report("t.py::test_kills", "failed", figures={"faults": 1}, violations={"stored once": 3}))
    assert summary.violations == 3
    assert "3 x not stored once" in printed(summary)
    assert "FAILED" in printed(summary)


def test_what_broke_before_it_began_is_no_pass() -> None:
    summary = Summary()
    summary.add(report("t.py::test_kills", "failed", when="setup"))
    assert "FAILED" in printed(summary)
