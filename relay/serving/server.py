"""An HTTP server for one role: it leaves signals alone, and says when it serves."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from relay.receiving.express import Express
from relay.serving.connections import Connection, room_for_connections
from relay.serving.crowd import Crowd, Limits
from relay.serving.hatch import Hatch

LINGER = 2.0  # seconds, at least, in which open connections may still bring a request after the order to end
SWEEP = 1.0  # seconds between two looks at those who have had their time
LOOK = 0.02  # seconds between two looks whether any is left
MOST_TAKEN = 64  # connections of a predecessor at a time; requests are answered in between


class Server(uvicorn.Server):
    """Serves an app until `stop`; `ready` is called once requests are answered."""

    def __init__(  # noqa: PLR0913, RUF100 - where to serve, and how long whom
        self,
        app: Starlette,
        host: str,
        port: int,
        grace: int,
        ready: Callable[[], None],
        limits: Limits | None = None,
    ) -> None:
        """`grace` is in seconds: so long may requests in hand take at the end."""
        self._app = app
        self._patience: Callable[[], float] = lambda: 0.0
        self._hatch: Hatch | None = None
        self._adopting: set[asyncio.Task[None]] = set()
        self.crowd = Crowd(limits or Limits())
        self._express: Express | None = getattr(app.state, "express", None)
        config = uvicorn.Config(
            self._respond,
            host=host,
            port=port,
            http=functools.partial(Connection, self.crowd, self._express),  # type: ignore[arg-type] # called so
            ws="none",
            interface="asgi3",
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
        if self._hatch is not None:
            asyncio.get_running_loop().add_reader(self._hatch.taking, self._take_over)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no connection any more, answer what comes on those there are, and let go of them.

        uvicorn alone closes a reused or half-sent one unanswered, which is a lost push. An idle one may
        bring a request while it is closed, so a successor takes it, or it has as long as there is patience.
        """
        for server in self.servers:
            server.close()
        if self._hatch is not None:
            asyncio.get_running_loop().remove_reader(self._hatch.taking)
        await asyncio.sleep(LOOK)  # what was accepted by now is known only in the loop's next turn
        waited = 0.0
        while self._occupied() and (waited < LINGER or self._patience() > 0):
            self.crowd.closing = not self._pass_on()
            await asyncio.sleep(LOOK)
            waited += LOOK
        self.crowd.closing = True
        for connection in list(self.server_state.connections):
            await asyncio.sleep(0)  # what came by now is read first
            connection.shutdown()
        await super().shutdown(sockets)

    def _occupied(self) -> bool:
        return bool(self.server_state.connections or self._adopting)

    def _pass_on(self) -> bool:
        """Give the successor all connections that are idle; false where there is none."""
        if self._hatch is None:
            return False
        for connection in self._connections():
            connection.pass_on(self._hatch)
        return self._hatch.open

    def _connections(self) -> list[Connection]:
        return [each for each in self.server_state.connections if isinstance(each, Connection)]

    def _take_over(self) -> None:
        """Go on with connections that a predecessor passes on."""
        if self._hatch is None:
            return
        for _ in range(MOST_TAKEN):
            taken = self._hatch.take()
            if taken is None:
                break
            task = asyncio.create_task(self._adopt(taken))
            self._adopting.add(task)
            task.add_done_callback(self._adopting.discard)
        if not self._hatch.open:  # its end is readable for ever
            asyncio.get_running_loop().remove_reader(self._hatch.taking)

    async def _adopt(self, taken: socket.socket) -> None:
        try:
            _, connection = await asyncio.get_running_loop().connect_accepted_socket(self._connection, taken)
        except OSError:  # its client is gone
            taken.close()
        else:
            connection.rest()

    def _connection(self) -> Connection:
        return Connection(
            self.crowd,
            self._express,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app; on the way out, each answer tells that its connection ends."""

        async def last(message: Message) -> None:
            if message["type"] == "http.response.start" and self.crowd.closing:
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        await self._app(scope, receive, last)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process's business."""
        yield

    async def serve_until(
        self,
        stop: asyncio.Event,
        sockets: list[socket.socket] | None,
        patience: Callable[[], float] = lambda: 0.0,
        hatch: Hatch | None = None,
    ) -> None:
        """Serve on these sockets, or on one of our own where there are none.

        `patience` tells how many seconds are left, after `stop`, for connections to be used once more that
        nobody takes over through the `hatch`.
        """
        self._patience = patience
        self._hatch = hatch

        async def end() -> None:
            await stop.wait()
            self.should_exit = True

        self.crowd.most = room_for_connections(self.crowd.limits.connections)
        beside = [asyncio.create_task(end()), asyncio.create_task(self.sweep())]
        try:
            await self.serve(sockets=sockets)
        finally:
            for task in beside:
                task.cancel()

    async def sweep(self) -> None:
        """Look again and again for those who have had their time."""
        while True:
            await asyncio.sleep(min(SWEEP, self.crowd.limits.within / 4))
            self.crowd.sweep()
