"""Spreads the files that mostly wait for processes among those that compute: workers share cores."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

HERE = Path(__file__).parent
WAIT = ("processes", "simulator/test_browser.py", "cli/test_demo.py", "docs/test_going_live.py", "testing")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep each file's tests together, and both kinds of files at the pace at which they end at once.

    Only where workers keep to the order: `--no-loadscope-reorder`.
    """
    if config.getoption("loadscopereorder", default=True):
        return
    files = [list(tests) for _, tests in itertools.groupby(items, lambda item: item.path)]
    kinds = [[each for each in files if _waits(each[0]) is waits] for waits in (True, False)]
    placed = [((at + 0.5) / len(kind), each) for kind in kinds for at, each in enumerate(kind)]
    items[:] = [item for _, each in sorted(placed, key=lambda one: one[0]) for item in each]


def _waits(item: pytest.Item) -> bool:
    return any(item.path.is_relative_to(HERE / each) for each in WAIT)
