"""Closing the caller's connection instead of answering, which ASGI itself does not provide for."""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

EXTENSION = "relay.hang_up"


class HangUpError(ConnectionError):
    """The connection was closed without an answer: what an in-process caller sees of it.

    A transport that calls the simulator as an ASGI app takes it for a request that was never answered.
    """


class Config(uvicorn.Config):
    """A server whose connections can be closed by the application."""

    def load(self) -> None:
        super().load()
        known: Any = self.http_protocol_class

        def protocol(**settings: Any) -> asyncio.Protocol:  # noqa: ANN401, RUF100 - uvicorn's own arguments
            return _closable(known(**settings))

        self.http_protocol_class = protocol  # type: ignore[assignment] # it is called, and nothing else


def can_hang_up(scope: Scope) -> bool:
    """Say whether there is a real connection to close."""
    return EXTENSION in scope.get("extensions", {})


async def hang_up(scope: Scope, receive: Receive, send: Send) -> None:
    """Close the connection once what has been written is out; HangUpError where there is none."""
    if not can_hang_up(scope):
        raise HangUpError("the simulator closed the connection without an answer")
    scope["extensions"][EXTENSION]()
    await gone(receive)


async def gone(receive: Receive) -> None:
    """Return when the caller is no longer there."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Cut:
    """An answer of which only the first half arrives."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = str(len(self._answer)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        half, real = self._answer[: len(self._answer) // 2], can_hang_up(scope)
        await send({"type": "http.response.body", "body": half, "more_body": real})
        if real:
            await hang_up(scope, receive, send)


def _closable(protocol: Any) -> asyncio.Protocol:  # noqa: ANN401, RUF100 - whichever protocol uvicorn chose
    app: ASGIApp = protocol.app

    async def closable(scope: Scope, receive: Receive, send: Send) -> None:
        known = scope.get("extensions", {})
        await app({**scope, "extensions": {**known, EXTENSION: protocol.transport.close}}, receive, send)

    protocol.app = closable
    closing: asyncio.Protocol = protocol
    return closing
