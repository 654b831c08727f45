"""Runs the whole fault suite: `PYTHONPATH=tests python -m faults [what pytest understands]`.

RELAY_WORKERS says how many tests run at a time (4: some do nothing but wait); those that judge milliseconds
are `alone`: they run after all others, one at a time.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest
from faults.board import Board
from faults.conftest import PROGRESS

TESTS = Path(__file__).parent.parent
SUITE = (
    "processes/test_gaps.py",  # most of it is an outage of ten minutes: others go on meanwhile
    "faults",
    "store/behaviour",
    "sending/test_truth.py",
    "processes/test_retention.py",  # alone, after all others
)
WORKERS = os.environ.get("RELAY_WORKERS", "4")


def main() -> int:
    """The exit code of pytest."""
    paths = [str(TESTS / part) for part in SUITE]
    how = ["-p", "faults.alone", "-m", "long", "-q", "--no-header"]
    share = ["-n", WORKERS, "--dist", "loadgroup", "--maxschedchunk", "1"]
    with tempfile.TemporaryDirectory(prefix="relay-faults-") as words:
        os.environ[PROGRESS] = words
        return int(pytest.main([*how, *share, *(sys.argv[1:] or paths)], plugins=[Board(Path(words))]))


if __name__ == "__main__":
    sys.exit(main())
