"""Lets a long test say how far it is, and tells in a table what came of all of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from faults.summary import Summary, subject

PROGRESS = "RELAY_PROGRESS"
"""Names the folder in which whoever runs the suite looks for how far each worker is."""

SUMMARY = pytest.StashKey[Summary]()


@pytest.fixture
def progress(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say in a few words how far it is; silent where nobody looks."""
    folder = os.environ.get(PROGRESS)
    if not folder:
        return lambda words: None
    name = subject(request.node.nodeid)
    said = Path(folder, os.environ.get("PYTEST_XDIST_WORKER", "alone"))

    def say(words: str) -> None:
        said.with_suffix(".new").write_text(f"{name}: {words}", "utf-8")
        said.with_suffix(".new").rename(said.with_suffix(".now"))

    return say


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> None:
    """A worker tells the others only plain words and numbers."""
    item.user_properties = [(name, _plain(value)) for name, value in item.user_properties]


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): int(count) for name, count in value.items()}
    return str(value)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    summary = Summary()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                summary.add(report)
    summary.print()
