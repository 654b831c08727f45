"""Who may come in: requests for a host of ours, and programs that know the password."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from relay.console import texts
from relay.language import Language, Text

log = structlog.get_logger("relay.console")

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
PRIVATE = "/api/"

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


class Refusal(NamedTuple):
    """An answer that is no answer."""

    status: int
    error: Text
    hint: Text | None = None
    headers: Mapping[str, str] | None = None

    def response(self, language: Language) -> Response:
        """The refusal as JSON."""
        hint = self.hint.said(language) if self.hint else None
        body = {"error": self.error.said(language), "hint": hint}
        return JSONResponse(body, self.status, {**HEADERS, **(self.headers or {})})


FOREIGN = Refusal(421, texts.FOREIGN_HOST, texts.FOREIGN_HOST_HINT)
LOCKED = Refusal(
    401, texts.NO_PASSWORD, texts.NO_PASSWORD_HINT, {"WWW-Authenticate": 'Bearer realm="relay console"'}
)


class Guard:
    """Stands before the whole app: checks host and password, and puts security headers on every answer."""

    def __init__(self, app: ASGIApp, host: str, password: str, language: Language) -> None:
        self._app = app
        self._hosts = LOCAL | {host.lower()}
        self._password = password.encode()
        self._language = language

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the app answer."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        request = Request(scope)
        refusal = self._refusal(request)
        if refusal is None:
            await self._app(scope, receive, send_guarded)
            return
        log.warning("console_refused", status=refusal.status, peer=request.client and request.client.host)
        await refusal.response(self._language)(scope, receive, send_guarded)

    def _refusal(self, request: Request) -> Refusal | None:
        hosts = request.headers.getlist("host")
        if len(hosts) != 1 or _name(hosts[0]) not in self._hosts:
            return FOREIGN
        if f"{request.url.path}/".startswith(PRIVATE) and not self._knows_password(request):
            return LOCKED
        return None

    def _knows_password(self, request: Request) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = token.strip().encode("latin-1")  # the bytes as they came
        known = hmac.compare_digest(given, self._password)
        return known and bool(self._password) and scheme.lower() == "bearer"


def _name(host: str) -> str:
    """The name in a Host header, without port and brackets; "" for what is none."""
    try:
        parts = urlsplit(f"//{host}")
        return (parts.hostname or "") if parts.netloc == host and "@" not in host else ""
    except ValueError:
        return ""
