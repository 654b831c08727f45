"""Answers that are no answer, and the log's word of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import structlog
from starlette.responses import JSONResponse, Response

from relay.clock import Clock
from relay.console import texts
from relay.language import Language, Text

log = structlog.get_logger("relay.console")

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
CLOSE = {"Connection": "close"}
"""Said where the rest of a request is not to be read."""


class Refusal(NamedTuple):
    """An answer that is no answer."""

    status: int
    error: Text
    hint: Text | None = None
    headers: Mapping[str, str] | None = None

    def response(self, language: Language, **values: object) -> Response:
        """The refusal as JSON; `values` are filled into its hint."""
        hint = self.hint.said(language, **values) if self.hint else None
        body = {"error": self.error.said(language), "hint": hint}
        return JSONResponse(body, self.status, {**HEADERS, **(self.headers or {})})


FOREIGN = Refusal(421, texts.FOREIGN_HOST, texts.FOREIGN_HOST_HINT)
LOCKED = Refusal(
    401, texts.NO_PASSWORD, texts.NO_PASSWORD_HINT, {"WWW-Authenticate": 'Bearer realm="relay console"'}
)
WAIT = Refusal(429, texts.GUESSED, texts.GUESSED_HINT)
NOT_FOUND = Refusal(404, texts.NOT_FOUND, texts.NOT_FOUND_HINT)
NOT_ALLOWED = Refusal(405, texts.NOT_ALLOWED, texts.NOT_ALLOWED_HINT)
TOO_LARGE = Refusal(413, texts.TOO_LARGE, texts.TOO_LARGE_HINT, CLOSE)
TOO_SLOW = Refusal(408, texts.TOO_SLOW, None, CLOSE)
NO_LINE = Refusal(400, texts.NO_LINE, texts.NO_LINE_HINT)
BUSY = Refusal(503, texts.BUSY, texts.BUSY_HINT, {"Retry-After": "2"})
TOO_LONG = Refusal(504, texts.TOO_LONG, texts.TRY_HINT)
BROKEN = Refusal(502, texts.BROKEN, texts.TRY_HINT)
STORAGE = Refusal(503, texts.STORAGE, texts.STORAGE_HINT)
CRASHED = Refusal(500, texts.CRASHED, texts.STORAGE_HINT)


class RefusalLog:
    """Tells the log who was refused: every one at first, of a flood one now and then."""

    FREE = 10  # lines in a minute
    MINUTE = 60_000  # ms

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = 0
        self._told = 0
        self._untold = 0

    def tell(self, status: int, peer: str) -> None:
        """Say that somebody was refused, and how many were of whom nothing was said."""
        now = self._clock.now()
        if not 0 <= now - self._began < self.MINUTE:
            self._began, self._told = now, 0
        if self._told >= self.FREE:
            self._untold += 1
            return
        self._told += 1
        log.warning("console_refused", status=status, peer=peer, untold=self._untold)
        self._untold = 0
