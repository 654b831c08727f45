"""What runs plugins takes what is left over of the machine, and so does what plugins start."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from relay.bounds import KILLED_FIRST, LAST, NICENESS

CONFINED = """
import asyncio, json, os, pathlib, resource, subprocess, sys, threading
from relay.bounds import confine, outrank
from relay.clock import SystemClock

confine(300 << 20)

async def look():
    ranking = asyncio.create_task(outrank(SystemClock()))
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    before = os.getpriority(os.PRIO_PROCESS, child.pid)
    while os.getpriority(os.PRIO_PROCESS, child.pid) == before:
        await asyncio.sleep(0.01)
    told = [before, os.getpriority(os.PRIO_PROCESS, child.pid)]
    child.kill()
    child.wait()
    return told

def memory():
    try:
        return len(bytes(400 << 20))
    except MemoryError:
        return "MemoryError"

print(json.dumps({
    "niceness": os.nice(0),
    "killed first": pathlib.Path("/proc/self/oom_score_adj").read_text().strip(),
    "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
    "400 MB": memory(),
    "child": asyncio.run(asyncio.wait_for(look(), 20)),
}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps to all of it")
def test_a_confined_process_comes_last_in_everything() -> None:
    done = subprocess.run([sys.executable, "-c", CONFINED], stdout=subprocess.PIPE, check=True, timeout=60)
    told: dict[str, Any] = json.loads(done.stdout)
    nice = told["niceness"]
    assert nice >= NICENESS
    assert told == {
        "niceness": nice,
        "killed first": KILLED_FIRST,
        "core": 0,
        "400 MB": "MemoryError",
        "child": [nice, LAST],
    }
