"""Bodies of requests: short, and in time."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

LARGEST = 65_536
PATIENCE = 10.0  # seconds for the whole of it


class BodyTooLargeError(Exception):
    """Somebody sends more than anybody has to say."""


async def read_body(request: Request, patience: float = PATIENCE) -> bytes:
    """The whole body; `BodyTooLargeError` beyond the bound, `TimeoutError` where it does not come."""
    read = bytearray()
    async with asyncio.timeout(patience):
        try:
            async for chunk in request.stream():
                read += chunk
                if len(read) > LARGEST:
                    raise BodyTooLargeError
        except ClientDisconnect as exc:
            raise TimeoutError from exc
    return bytes(read)
