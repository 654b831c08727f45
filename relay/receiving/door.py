"""The public door: who may post, what is too much, and the one answer to all that may."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from relay.receiving.express import Express
from relay.receiving.receiver import Receiver, ReceiverSettings
from relay.receiving.sources import Sources

ANSWER = b'{"errcode":0}'  # the documented one, for good bodies and bad ones alike


class CallbackRoute(BaseRoute):
    """The callback path as a raw ASGI endpoint: what a framework does around one costs more than the store.

    The path is a secret, so it is compared in constant time.
    """

    def __init__(self, receiver: Receiver, settings: ReceiverSettings) -> None:
        self._receiver = receiver
        self._settings = settings
        self._path = settings.callback_path.encode()
        self.sources = Sources(settings.allowed_ips, settings.trusted_proxies, platform=settings.platform_ips)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and hmac.compare_digest(scope["path"].encode(), self._path):
            return Match.FULL, {}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check where it comes from and how much it is, read it, keep it, answer."""
        status = self._refusal(scope)
        if status == 200 and scope["method"] == "POST":
            status = await self._take(receive)
        if status:
            await _answer(send, status)

    def _refusal(self, scope: Scope) -> int:
        """The status that can be told before the body is read; 200 where nothing speaks against it."""
        if not self.sources.admit(scope):
            return 403
        if scope["method"] not in ("POST", "GET", "HEAD"):
            return 404
        declared = _header(scope, b"content-length")
        return 413 if declared.isdigit() and int(declared) > self._settings.max_body else 200

    async def _take(self, receive: Receive) -> int:
        """Read the body and keep it; 0 when the client went away before its end."""
        parts: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return 0
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > self._settings.max_body:
                return 413
            parts.append(part)
            more = message.get("more_body", False)
        await self._receiver.keep(b"".join(parts))
        return 200


class _HealthRoute(Route):
    """For GET and HEAD; whoever asks otherwise learns no more than of any other path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        return (Match.NONE, {}) if match is Match.PARTIAL else (match, child)


async def _nothing(_: Scope, __: Receive, send: Send) -> None:
    """What there is at every other path."""
    await _answer(send, 404)


class _Door(Starlette):
    """The callback path first, before what Starlette does for errors that the receiver lets nobody see."""

    def __init__(self, callback: CallbackRoute, others: Sequence[BaseRoute]) -> None:
        super().__init__(routes=[callback, *others])
        self._callback = callback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._callback.matches(scope)[0] is Match.FULL:
            await self._callback.handle(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


async def _answer(send: Send, status: int) -> None:
    body = ANSWER if status == 200 else b""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status != 200:  # whoever is refused is listened to no longer
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _header(scope: Scope, name: bytes) -> str:
    found = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return ",".join(found)


def create_app(receiver: Receiver, settings: ReceiverSettings) -> Starlette:
    """The public door as an ASGI app: the callback path, health, and nothing else."""

    async def healthz(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> JSONResponse:
        reasons = [] if receiver.writing else ["storage"]
        return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    health = [_HealthRoute("/healthz", healthz), _HealthRoute("/readyz", readyz)]
    callback = CallbackRoute(receiver, settings)
    app = _Door(callback, health)
    app.state.sources = callback.sources
    app.state.express = Express(
        settings.callback_path, callback.sources, settings.max_body, receiver.take, ANSWER
    )
    app.router.default = _nothing
    app.router.redirect_slashes = False  # a redirect would give away that the path is nearly right
    return app
