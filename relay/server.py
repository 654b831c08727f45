"""An HTTP server for one role: it leaves signals alone, and says when it serves."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.applications import Starlette


class Server(uvicorn.Server):
    """Serves an app until `stop`; `ready` is called once requests are answered."""

    def __init__(self, app: Starlette, host: str, port: int, grace: int, ready: Callable[[], None]) -> None:
        """`grace` is in seconds: so long may requests in hand take at the end."""
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            http="httptools",
            lifespan="off",
            log_config=None,
            access_log=False,  # the path is a secret
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=grace,
        )
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process's business."""
        yield

    async def serve_until(self, stop: asyncio.Event, sockets: list[socket.socket] | None) -> None:
        """Serve on these sockets, or on one of our own where there are none."""

        async def end() -> None:
            await stop.wait()
            self.should_exit = True

        ending = asyncio.create_task(end())
        try:
            await self.serve(sockets=sockets)
        finally:
            ending.cancel()
