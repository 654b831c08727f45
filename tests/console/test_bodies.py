"""A body is short and comes in time, or it is not waited for."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message

from relay.console.bodies import LARGEST, BodyTooLargeError, read_body


def request(*chunks: bytes, hangs_up: bool = False) -> Request:
    """A request whose body comes in these chunks, and then nothing more, or the end of the connection."""
    waiting = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        if not hangs_up:
            await asyncio.sleep(3600)
        return {"type": "http.disconnect"}

    return Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)


def test_one_that_does_not_come_is_not_waited_for() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(read_body(request(b"{"), patience=0.02))


def test_one_whose_sender_is_gone_is_not_waited_for() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(read_body(request(b"{", hangs_up=True)))


def test_one_without_end_is_read_only_so_far() -> None:
    with pytest.raises(BodyTooLargeError):
        asyncio.run(read_body(request(*[b"x" * 1000] * (LARGEST // 1000 + 1)), patience=5.0))
