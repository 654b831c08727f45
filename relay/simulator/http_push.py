"""The way to a receiver over HTTP."""

from __future__ import annotations

import aiohttp

from relay.simulator.pusher import NoCallbackError

_HEADERS = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "relay-simulator"}


class HttpPush:
    """POSTs to a callback URL that may change at any time; connections are kept between pushes."""

    def __init__(self, url: str | None) -> None:
        self.url = url
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, body: bytes) -> int:
        if not self.url:
            raise NoCallbackError
        try:
            async with self._open().post(
                self.url, data=body, headers=_HEADERS, allow_redirects=False
            ) as answer:
                await answer.read()
                return answer.status
        except aiohttp.ClientError as exc:
            raise ConnectionError(str(exc)) from exc

    async def close(self) -> None:
        """Close the kept connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            # The one-second limit is the pusher's: it counts on the simulator's clock.
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=None)
            self._session = aiohttp.ClientSession(
                timeout=timeout, connector=aiohttp.TCPConnector(limit=0), auto_decompress=False
            )
        return self._session
