"""`relay try` for the API: in a process of its own, so that no plugin runs in the console's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import structlog
from starlette.responses import JSONResponse, Response

from relay.console.refusals import BROKEN, BUSY, TOO_LONG
from relay.language import Language

log = structlog.get_logger("relay.console")

AT_ONCE = 2
LIMIT = 20.0  # seconds for one, all its plugins included
GONE_WITHIN = 1.0  # seconds after it was killed
LARGEST = 2_000_000  # bytes of an answer

Rehearse = Callable[[bytes], Awaitable[Response]]
"""Takes what is to be tried, as JSON, and answers."""


class Rehearsals:
    """Runs `relay try` on behalf of the API: a few at once, each bounded in time and words."""

    def __init__(self, command: Sequence[str], language: Language, limit: float = LIMIT) -> None:
        """`command` reads JSON from its input and prints the answer."""
        self._command = tuple(command)
        self._language = language
        self._limit = limit
        self._running = 0

    async def __call__(self, line: bytes) -> Response:
        """What the bot would do; nobody waits in line for it."""
        if self._running >= AT_ONCE:
            return BUSY.response(self._language)
        self._running += 1
        try:
            return await self._rehearse(line)
        finally:
            self._running -= 1

    async def _rehearse(self, line: bytes) -> Response:
        child = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # what plugins start ends with it
        )
        try:
            async with asyncio.timeout(self._limit):
                told = await _exchange(child, line)
                code = 1 if told is None else await child.wait()
        except TimeoutError:
            log.warning("rehearsal_stopped", seconds=self._limit)
            return TOO_LONG.response(self._language)
        finally:
            await _end(child)
        return self._answer(code, told)

    def _answer(self, code: int, told: bytes | None) -> Response:
        answer = _read(told)
        if answer is None or (code and "error" not in answer):
            log.warning("rehearsal_failed", code=code)
            return BROKEN.response(self._language)
        if code:  # what stops the bot from starting stops a rehearsal
            return JSONResponse({"error": answer["error"], "hint": answer.get("hint")}, 503)
        return JSONResponse(answer)


def command(config: Path) -> tuple[str, ...]:
    """`relay try` for a bot; the words to try are not among its arguments, which everybody can read."""
    return (sys.executable, "-m", "relay", "try", "--from-stdin", "--json", "--config", str(config))


async def _exchange(child: asyncio.subprocess.Process, line: bytes) -> bytes | None:
    """What it prints; None for more than anybody wants to read."""
    assert child.stdin is not None and child.stdout is not None  # noqa: S101, PT018 - both are pipes
    with contextlib.suppress(ConnectionError):  # it may have ended unheard
        child.stdin.write(line)
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


def _read(told: bytes | None) -> dict[str, object] | None:
    try:
        read = json.loads(told or b"")
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None
