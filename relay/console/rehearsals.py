"""`relay try` for the API: in a process of its own, so that no plugin runs in the console's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import structlog
from starlette.responses import JSONResponse, Response

from relay.console.child import answered, words_for
from relay.console.refusals import BROKEN, BUSY, TOO_LONG
from relay.language import Language

log = structlog.get_logger("relay.console")

AT_ONCE = 2
LIMIT = 20.0  # seconds for one, all its plugins included

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
        try:
            code, answer = await answered(self._command, self._limit, line)
        except TimeoutError:
            log.warning("rehearsal_stopped", seconds=self._limit)
            return TOO_LONG.response(self._language)
        return self._answer(code, answer)

    def _answer(self, code: int, answer: object) -> Response:
        if not isinstance(answer, dict) or (code and "error" not in answer):
            log.warning("rehearsal_failed", code=code)
            return BROKEN.response(self._language)
        if code:  # what stops the bot from starting stops a rehearsal
            return JSONResponse({"error": answer["error"], "hint": answer.get("hint")}, 503)
        return JSONResponse(answer)


def command(config: Path) -> tuple[str, ...]:
    """`relay try` for a bot; the words to try are not among its arguments, which everybody can read."""
    return words_for(config, "try", "--from-stdin")
