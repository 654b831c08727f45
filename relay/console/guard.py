"""Who may come in: requests for a host of ours, and programs that know a secret."""

from __future__ import annotations

from math import ceil
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from relay.clock import Clock
from relay.console.bodies import LARGEST
from relay.console.credentials import Credentials
from relay.console.refusals import (
    CLOSE,
    FOREIGN,
    HEADERS,
    LOCKED,
    NOT_ALLOWED,
    TOO_LARGE,
    WAIT,
    RefusalLog,
)
from relay.console.throttle import Throttle
from relay.language import Language

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
PRIVATE = ("/api/", "/metrics/")
METHODS = ("GET", "HEAD", "POST")


class Guard:
    """Stands before the whole app: checks host and secret, and puts security headers on every answer."""

    def __init__(
        self, app: ASGIApp, host: str, credentials: Credentials, language: Language, clock: Clock
    ) -> None:
        self._app = app
        self._hosts = LOCAL | {host.lower()}
        self._credentials = credentials
        self._language = language
        self._throttle = Throttle(clock)
        self._log = RefusalLog(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the app answer."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        peer = (scope.get("client") or ("", 0))[0]
        refusal = self._refusal(scope, peer)
        if refusal is None:
            await self._app(scope, receive, send_guarded)
            return
        self._log.tell(refusal.status_code, peer)
        await refusal(scope, receive, send_guarded)

    def _refusal(self, scope: Scope, peer: str) -> Response | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _name(hosts[0]) not in self._hosts:
            return FOREIGN.response(self._language)
        if f"{scope['path']}/".startswith(PRIVATE):
            locked = self._locked(scope["path"], headers, peer)
            if locked is not None:
                return locked
        if scope["method"] not in METHODS:
            allowed = ", ".join(METHODS)
            refusal = NOT_ALLOWED._replace(headers={"Allow": allowed, **CLOSE})
            return refusal.response(self._language, allowed=allowed)
        if _announced(headers) > LARGEST:
            return TOO_LARGE.response(self._language, most=LARGEST)
        return None

    def _locked(self, path: str, headers: Headers, peer: str) -> Response | None:
        """Nothing is awaited in here: however many ask at once, each guess is counted before the next."""
        given = headers.getlist("authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        guess = token.strip().encode("latin-1")  # the bytes as they came
        if scheme.lower() != "bearer" or not guess:
            return LOCKED.response(self._language)
        if wait := self._throttle.wait(peer):
            seconds = ceil(wait / 1000)
            refusal = WAIT._replace(headers={"Retry-After": str(seconds)})
            return refusal.response(self._language, seconds=seconds)
        if self._credentials.open(path, guess):
            return None
        self._throttle.failed(peer, guess)
        return LOCKED.response(self._language)


def _announced(headers: Headers) -> int:
    """How long the body says that it is; what says nonsense was refused by the server already."""
    length = headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 19 else LARGEST + 1


def _name(host: str) -> str:
    """The name in a Host header, without port, brackets and the root's dot; "" for what is none."""
    try:
        parts = urlsplit(f"//{host}")
        name = parts.hostname or ""
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError:
        return ""
    return name.removesuffix(".") if parts.netloc == host and "@" not in host else ""
