"""The express way of a usual callback: from the parser to whoever keeps it, and a ready answer back.

Through ASGI a request costs a task, an event, a dozen dicts and lists, and more time than keeping it.
Whatever is unusual goes that way all the same: only there is it decided what to refuse, and how.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from typing import Any

import httptools

from relay.receiving.sources import Sources

Headers = Sequence[tuple[bytes, bytes]]
Take = Callable[[bytes, Callable[[], None]], None]
"""Keeps a body, and then calls back, on the event loop: its answer may go out."""

UNUSUAL = (b"expect", b"transfer-encoding", b"upgrade")


class Express:
    """What of all requests may go this way, and how they are answered."""

    def __init__(self, path: str, sources: Sources, max_body: int, take: Take, answer: bytes) -> None:
        """`answer` is the body of one, as JSON; `max_body` is in bytes."""
        self._target = path.encode() if _is_plain(path) else b""
        self._sources = sources
        self._max_body = max_body
        self.take = take
        self._body = answer
        self._defaults: Headers | None = None
        self._answers = (b"", b"")

    def admits(self, target: bytes, headers: Headers, client: tuple[str, int] | None) -> bool:
        """Whether it is a callback as they usually are, about which nothing is to be decided."""
        if not hmac.compare_digest(target, self._target) or not target:
            return False
        named = dict(headers)
        size = named.get(b"content-length", b"")
        if not size.isdigit() or int(size) > self._max_body:
            return False
        if any(name in named for name in UNUSUAL):
            return False
        return self._sources.admit({"client": client, "headers": headers})

    def answer(self, defaults: Headers, *, last: bool) -> bytes:
        """The whole answer, after the headers that all have; the `last` one of a connection says so."""
        if defaults is not self._defaults:  # new ones come with each second
            self._defaults = defaults
            self._answers = (self._written(defaults), self._written(defaults, (b"connection", b"close")))
        return self._answers[last]

    def _written(self, defaults: Headers, *more: tuple[bytes, bytes]) -> bytes:
        size = str(len(self._body)).encode()
        own = [(b"content-type", b"application/json"), (b"content-length", size)]
        lines = [name + b": " + value for name, value in (*defaults, *own, *more)]
        return b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", self._body])


class Ride:
    """One request on this way; to uvicorn's protocol it looks like a cycle whose answer is due."""

    __slots__ = (
        "_arrive",
        "_take",
        "body",
        "disconnected",
        "keep_alive",
        "message_event",
        "more_body",
        "response_complete",
    )

    def __init__(self, take: Take, arrive: Callable[[Ride], None]) -> None:
        self._take = take
        self._arrive = arrive
        self.body = bytearray()
        self.more_body = True
        self.response_complete = False
        self.disconnected = False
        self.keep_alive = True
        self.message_event = _NOBODY

    def begin(self) -> None:
        """All of it has come."""
        self.more_body = False
        self._take(bytes(self.body), self._kept)

    def _kept(self) -> None:
        self._arrive(self)


class _Nobody:
    """Who waits for messages of a request that has no task."""

    def set(self) -> None:
        """Wake nobody."""


_NOBODY: Any = _Nobody()


def _is_plain(path: str) -> bool:
    """Whether a target can be compared with it as it is, without taking it apart."""
    try:
        parts = httptools.parse_url(path.encode())
    except httptools.HttpParserInvalidURLError:
        return False
    return path.isascii() and "%" not in path and bool(parts.path == path.encode())
