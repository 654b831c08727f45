"""A plugin of pytest's: what judges milliseconds runs last, and has the machine to itself."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from faults.conftest import PROGRESS

ALONE = "alone"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is to run alone comes last, so that no worker waits for the others while there is other work."""
    items.sort(key=_is_alone)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Begin once nobody runs with whom this one shall not: workers know each other by a file only."""
    with Path(os.environ[PROGRESS], "machine.lock").open("w") as machine:
        fcntl.flock(machine, fcntl.LOCK_EX if _is_alone(item) else fcntl.LOCK_SH)
        return (yield)


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker(ALONE) is not None
