"""One role as a process: it serves until it is told to stop, or until its supervisor is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import structlog
import uvicorn
import uvloop
from starlette.applications import Starlette

from relay import log as logging
from relay.clock import Clock, SystemClock
from relay.config import Config, load
from relay.console.app import create_console
from relay.errors import ConfigurationError, RelayError
from relay.lock import RoleLock
from relay.receiver import create_app
from relay.roles import (
    build_receiver,
    build_router,
    build_sender,
    build_transport,
    load_plugins,
    open_store,
    receiver_settings,
)
from relay.store.protocol import Store

log = structlog.get_logger("relay.process")

SOCKET = "RELAY_SOCKET_FD"  # the listening socket that the supervisor holds
LIFELINE = "RELAY_LIFELINE_FD"  # a pipe that ends when the supervisor does
BEAT = 1.0  # seconds between two reports of being alive
GRACE = 10.0  # seconds to finish what is in hand
ROUTER_NICENESS = 5  # plugins wait for the receiver, never the other way round


def run_role(path: Path, role: str) -> int:
    """Serve as one role until SIGTERM, SIGINT or the end of the supervisor; returns the exit code.

    Raises `ConfigurationError`, or `StorageError` where the database is in use or cannot be used.
    """
    config = load(path)
    configure_log(config)
    lock = RoleLock(config.database, role)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(config, role))
    except RelayError as exc:
        log.error("role_failed", role=role, error=str(exc))
        return 1
    finally:
        lock.release()
    return 0


def configure_log(config: Config) -> None:
    """Lines for people on a terminal, JSON everywhere else, and no secret in either."""
    terminal = sys.stderr.isatty()
    logging.configure("info", colour=terminal, secrets=config.secrets(), json=not terminal)


async def _serve(config: Config, role: str) -> None:
    clock = SystemClock()
    store = open_store(config, clock)
    stop = asyncio.Event()
    try:
        async with _alive(store, role, clock), _told_to_stop(stop):
            log.info("role_started", role=role)
            await _ROLES[role](config, store, clock, stop)
            log.info("role_stopped", role=role)
    finally:
        store.close()


@contextlib.asynccontextmanager
async def _alive(store: Store, role: str, clock: Clock) -> AsyncIterator[None]:
    """Report the role alive while it is."""

    async def beat() -> None:
        while True:
            await store.beat(role, os.getpid(), {})
            await clock.sleep(BEAT)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, RelayError):
            await task
        with contextlib.suppress(RelayError):
            await store.leave(role, os.getpid())


@contextlib.asynccontextmanager
async def _told_to_stop(stop: asyncio.Event) -> AsyncIterator[None]:
    """Set `stop` on a signal or when the supervisor is gone; leave nothing hanging beyond the grace."""
    loop = asyncio.get_running_loop()

    def begin() -> None:
        stop.set()
        loop.call_later(GRACE, os._exit, 0)  # what is still in hand is found on disk at the next start

    lifeline = os.environ.get(LIFELINE)
    loop.add_signal_handler(signal.SIGTERM, begin)
    # Ctrl-C reaches every process of the terminal; under a supervisor, it decides.
    loop.add_signal_handler(signal.SIGINT, begin if lifeline is None else _ignore)
    if lifeline is not None:
        loop.add_signal_handler(signal.SIGHUP, _ignore)
        loop.add_reader(int(lifeline), _once(loop, int(lifeline), begin))
    yield


def _ignore() -> None:
    pass


def _once(loop: asyncio.AbstractEventLoop, lifeline: int, begin: Callable[[], None]) -> Callable[[], None]:
    """The end of a pipe is readable for ever: once is enough."""

    def ended() -> None:
        loop.remove_reader(lifeline)
        begin()

    return ended


async def _receiver(config: Config, store: Store, clock: Clock, stop: asyncio.Event) -> None:
    await store.add_accounts(config.platform.accounts, "configured")
    app = create_app(build_receiver(config, store), receiver_settings(config))
    await _serve_http(app, config.server.host, config.server.port, stop)


async def _router(config: Config, store: Store, clock: Clock, stop: asyncio.Event) -> None:
    os.nice(ROUTER_NICENESS)
    loading = load_plugins(config)
    if loading.problems:
        raise ConfigurationError(tuple(loading.problems))
    for found, error in loading.failed:
        log.error(
            "plugin_not_loaded", plugin=found.name, error=error.message, file=error.file, line=error.line
        )
    await store.add_accounts(config.platform.accounts, "configured")
    await build_router(config, store, clock, loading.loaded).run(stop)


async def _sender(config: Config, store: Store, clock: Clock, stop: asyncio.Event) -> None:
    transport = build_transport(config)
    try:
        await build_sender(config, store, clock, transport).run(stop)
    finally:
        await transport.close()


async def _console(config: Config, store: Store, clock: Clock, stop: asyncio.Event) -> None:
    app = create_console(config, store, load_plugins(config))
    await _serve_http(app, config.console.host, config.console.port, stop)


_ROLES: dict[str, Callable[[Config, Store, Clock, asyncio.Event], Awaitable[None]]] = {
    "receiver": _receiver,
    "router": _router,
    "sender": _sender,
    "console": _console,
}


class _Server(uvicorn.Server):
    """A server that leaves the signals to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve_http(app: Starlette, host: str, port: int, stop: asyncio.Event) -> None:
    """Serve on the supervisor's socket, or on one of our own where there is no supervisor."""
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
        timeout_graceful_shutdown=int(GRACE) - 1,
    )
    server = _Server(config)
    inherited = os.environ.get(SOCKET)
    sockets = [socket.socket(fileno=int(inherited))] if inherited else None

    async def end() -> None:
        await stop.wait()
        server.should_exit = True

    ending = asyncio.create_task(end())
    try:
        await server.serve(sockets=sockets)
    finally:
        ending.cancel()
