"""What judges milliseconds has the machine to itself, whichever workers the others run on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from faults.conftest import PROGRESS

SUITE = """
import time
from pathlib import Path
import pytest

def tell(word):
    with Path(__file__).with_name("told").open("a") as told:
        told.write(word + " ")

@pytest.mark.alone
def test_judge():
    tell("judge")
    time.sleep(0.2)
    tell("judged")

@pytest.mark.alone
def test_another():
    tell("judge")
    time.sleep(0.2)
    tell("judged")

@pytest.mark.parametrize("seconds", [0, 0.5, 0.5])
def test_long(seconds):
    time.sleep(seconds)
    tell("long")
"""
BARE = ("-p", "xdist", "-p", "no:cacheprovider", "-c", "pytest.ini", "-n", "2", "--maxschedchunk", "1")


def test_what_runs_alone_begins_when_all_others_have_ended(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = alone\n")
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", PROGRESS: str(tmp_path)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-m", "pytest", "-p", "faults.alone", *BARE, "test_suite.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
    told = (tmp_path / "told").read_text().split()
    assert told == ["long"] * 3 + ["judge", "judged"] * 2
