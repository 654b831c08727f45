"""A command in a process of its own, bounded in time and words; what plugins start in it ends with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

GONE_WITHIN = 1.0  # seconds after it was killed
LARGEST = 2_000_000  # bytes of an answer


def words_for(config: Path, *command: str) -> tuple[str, ...]:
    """A command of ours for this bot, told to answer in JSON."""
    return (sys.executable, "-m", "relay", *command, "--json", "--config", str(config))


async def answered(command: Sequence[str], limit: float, given: bytes = b"") -> tuple[int, object]:
    """Its exit code and the JSON that it printed, None for anything else; `TimeoutError` after `limit` s."""
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(limit):
            told = await _exchange(child, given)
            return (1, None) if told is None else (await child.wait(), _read(told))
    finally:
        await _end(child)


async def _exchange(child: asyncio.subprocess.Process, given: bytes) -> bytes | None:
    """What it prints; None for more than anybody wants to read."""
    assert child.stdin is not None and child.stdout is not None  # noqa: S101, PT018 - both are pipes
    with contextlib.suppress(ConnectionError):  # it may have ended unheard
        child.stdin.write(given)
        await child.stdin.drain()
    child.stdin.close()
    read = bytearray()
    while chunk := await child.stdout.read(65_536):
        read += chunk
        if len(read) > LARGEST:
            return None
    return bytes(read)


async def _end(child: asyncio.subprocess.Process) -> None:
    """Make sure that it is gone, with all that its plugins have started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):  # somebody who left its group may hold its output open for ever
        async with asyncio.timeout(GONE_WITHIN):
            await child.wait()
    child._transport.close()  # type: ignore[attr-defined] # noqa: SLF001 - nothing else lets go of the pipe


def _read(told: bytes) -> object:
    try:
        return json.loads(told)
    except (ValueError, RecursionError):
        return None
