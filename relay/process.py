"""One role as a process: it serves until it is told to stop, or until its supervisor is gone."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from relay import log as logging
from relay.bounds import confine, outrank
from relay.clock import Clock, EvenClock, SystemClock
from relay.config import Config, Files, load
from relay.errors import ConfigurationError, RelayError, StorageError
from relay.lock import RoleLock
from relay.roles import (
    build_receiver,
    build_retention,
    build_router,
    build_sender,
    build_transport,
    load_plugins,
    offers,
    open_store,
    receiver_settings,
)
from relay.store.protocol import Store
from relay.ties import FOR_GOOD, Ties

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from relay.routing.blocking import Blocking
    from relay.routing.router import Router
    from relay.routing.swap import Swap

log = structlog.get_logger("relay.process")

LATE_LOOK = 0.1  # seconds between two looks how late the loop comes
SWAP_LOOK = 0.1  # seconds between two looks for new versions of plugins
BEAT = 1.0  # seconds between two reports of being alive
RESERVE = 4.0  # seconds, of the grace, that are left when the last idle connections are closed
LAST_TRY = 3.0  # seconds, of the grace, in which the receiver tries once more to write what is late
YOUNG_OBJECTS = 10_000  # that may come together before the garbage collector looks at them
GRACE = 8.5  # seconds to finish what is in hand: all ends within 10, the killing of whoever hangs included
SUCCESSION = 6.0  # seconds, of the grace, in which a door stays open for a successor to come
NICENESS = {"sender": 2, "console": 5}  # whatever they do waits for the receiver; the router see `bounds`


def run_role(path: Path, role: str, ties: Ties | None = None) -> int:
    """Serve as one role until SIGTERM, SIGINT or the end of the supervisor; returns the exit code.

    Without `ties` there is no supervisor. Then SIGHUP starts it anew with what the file says then, if that
    is without problems.
    Raises `ConfigurationError`, or `StorageError` where the database is in use or cannot be used.
    """
    import uvloop  # here and below: what this role alone needs, or no command but `run`

    again, ties = True, ties or Ties()
    os.nice(NICENESS.get(role, 0))
    while again:
        config = load(path, files=ties.files)
        configure_log(config)
        lock = RoleLock(config.database, role)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                again = _served(runner, config, role, ties)
        except RelayError as exc:
            log.error("role_failed", role=role, error=str(exc))
            return 1
        finally:
            lock.release()
    return 0


def _served(runner: asyncio.Runner, config: Config, role: str, ties: Ties) -> bool:
    """Run the role; a router ends here, whatever its plugins left running in loop and threads."""
    if role != "router":
        return runner.run(_serve(config, role, ties))
    code = 1
    try:
        if runner.run(_serve(config, role, ties)):
            return True
        code = 0
    except RelayError as exc:
        log.error("role_failed", role=role, error=str(exc))
    except BaseException:  # noqa: BLE001 - told, and the process ends with it
        traceback.print_exc()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    ties.cut()
    os._exit(code)


def configure_log(config: Config) -> None:
    """Lines for people on a terminal, JSON everywhere else, and no secret in either."""
    terminal = sys.stderr.isatty()
    logging.configure("info", colour=terminal, secrets=config.secrets(), json=not terminal)


async def _serve(config: Config, role: str, ties: Ties) -> bool:
    """Serve as the role; true when it is to be started again."""
    clock = EvenClock() if role == "sender" else SystemClock()
    # A role has time, and work in hand; whoever waits for the receiver has one second.
    store = open_store(config, clock, patient=True, hurried=role == "receiver")
    orders = _Orders(config.path, role, ties)
    try:
        async with _alive(store, role, clock, orders):
            orders.listen()
            log.info("role_started", role=role)
            _spare_what_was_loaded()
            await _ROLES[role](config, store, clock, orders)
            log.info("role_stopped", role=role)
    finally:
        store.close()
        for afterwards in orders.afterwards:
            afterwards()
        orders.obeyed()
    return orders.again


@contextlib.asynccontextmanager
async def _alive(store: Store, role: str, clock: Clock, orders: _Orders) -> AsyncIterator[None]:
    """Report the role alive while it is."""

    task = asyncio.create_task(_beat(store, role, clock, orders))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, RelayError):
            await task
        with contextlib.suppress(RelayError):
            await store.leave(role, os.getpid())


async def _beat(store: Store, role: str, clock: Clock, orders: _Orders) -> None:
    silent = False
    while True:
        try:
            await store.beat(role, os.getpid(), orders.note())
            silent = False
        except StorageError as exc:  # whoever asks takes the role for dead meanwhile
            if not silent:
                log.warning("heartbeat_not_written", role=role, error=str(exc))
            silent = True
        await clock.sleep(BEAT)


def _spare_what_was_loaded() -> None:
    """Keep the garbage collector from looking through modules, and from looking at every other message."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)


class _Orders:
    """What signals and the supervisor tell this process to do."""

    def __init__(self, path: Path, role: str, ties: Ties) -> None:
        self.stop = asyncio.Event()
        self.again = False
        self.afterwards: list[Callable[[], None]] = []  #: what is to be done once the store is closed
        self.note: Callable[[], Mapping[str, object]] = dict  #: what the role says of itself
        self.ties = ties
        self._path = path
        self._role = role
        self._deadline: asyncio.TimerHandle | None = None
        self._hurried = not ties.supervised

    def listen(self) -> None:
        """Heed signals and the supervisor's pipe from now on."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._asked)
        if not self.ties.supervised:
            loop.add_signal_handler(signal.SIGINT, self._end)
            loop.add_signal_handler(signal.SIGHUP, self._reload)
            return
        # Ctrl-C and a hang-up reach every process of the terminal; under a supervisor, it decides.
        loop.add_signal_handler(signal.SIGINT, _ignore)
        loop.add_signal_handler(signal.SIGHUP, _ignore)
        loop.add_signal_handler(FOR_GOOD, self._end)
        loop.add_reader(self.ties.lifeline, self._orphaned)

    def serving(self) -> None:
        """The role does its work from now on."""
        log.info("role_serving", role=self._role, pid=os.getpid())
        self.ties.serving()

    def obeyed(self) -> None:
        """The role has ended in time."""
        if self._deadline is not None:
            self._deadline.cancel()

    def patience(self) -> float:
        """How many seconds are left for what may yet come: none where no successor makes up for it."""
        if self._deadline is None or self._hurried:
            return 0.0
        return self._deadline.when() - asyncio.get_running_loop().time() - RESERVE

    def _hurry(self) -> None:
        self._hurried = True
        if self.ties.hatch is not None:
            self.ties.hatch.abandon()

    def _asked(self) -> None:
        """End, but with a door only once a successor serves: whoever connects meanwhile has one second."""
        if self.stop.is_set():
            self._hurry()
        if not self.ties.succeeded:
            self._end()
        elif self._deadline is None:
            self.ties.leaving()
            self._begin_grace()
            asyncio.get_running_loop().call_later(SUCCESSION, self._end)

    def _end(self) -> None:
        if not self.stop.is_set():
            self.stop.set()
            self.ties.leaving()
            log.info("role_leaving", role=self._role, pid=os.getpid())
            self._begin_grace()

    def _begin_grace(self) -> None:
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().call_later(GRACE, self._give_up)

    def _give_up(self) -> None:
        """What is still in hand is found on disk at the next start."""
        self.ties.cut()
        os._exit(0)

    def _orphaned(self) -> None:
        asyncio.get_running_loop().remove_reader(self.ties.lifeline)  # the end of a pipe is readable for ever
        self.ties.orphaned = True
        self._hurry()
        self._end()

    def _reload(self) -> None:
        try:
            problems = load_plugins(load(self._path)).problems
        except ConfigurationError as exc:
            problems = list(exc.problems)
        for problem in problems:
            log.error("reload_refused", problem=str(problem))
        if not problems:
            self.again = True
            self._end()


def _ignore() -> None:
    pass


async def _receiver(config: Config, store: Store, clock: Clock, orders: _Orders) -> None:
    from relay.receiving.door import create_app

    await store.add_accounts(config.platform.accounts, "configured")
    receiver = build_receiver(config, store, clock)
    orders.afterwards.append(receiver.let_go)
    orders.note = receiver.note
    app = create_app(receiver, receiver_settings(config))
    await app.state.sources.look(store)
    following = [
        asyncio.create_task(receiver.follow()),
        asyncio.create_task(app.state.sources.follow(store, clock)),
    ]
    try:
        await _serve_http(app, config.server.host, config.server.port, orders)
    finally:
        for task in following:
            task.cancel()
        await receiver.finish(LAST_TRY)


async def _router(config: Config, store: Store, clock: Clock, orders: _Orders) -> None:
    from relay.routing.blackbox import BlackBox
    from relay.routing.swap import Swap

    confine(config.plugins.memory_limit)
    loading = load_plugins(config)
    if loading.problems:
        raise ConfigurationError(tuple(loading.problems), config.bot.language)
    for found, error in loading.failed:
        log.error(
            "plugin_not_loaded", plugin=found.name, error=error.message, file=error.file, line=error.line
        )
    await store.add_accounts(config.platform.accounts, "configured")
    box = BlackBox.beside(config.database)
    router = build_router(config, store, clock, loading.loaded, box)
    life = None if router.occasions is None else router.occasions.life
    swap = Swap(router.pipeline, life, router.standing)
    beside = [
        asyncio.create_task(outrank(clock)),
        asyncio.create_task(_lateness(box.blocking)),
    ]
    if orders.ties.supervised:  # nobody else hands anything over
        beside.append(asyncio.create_task(_swaps(config, router, swap, clock)))
    try:
        orders.serving()
        await router.run(orders.stop)
    finally:
        for task in beside:
            task.cancel()


async def _lateness(blocking: Blocking) -> None:
    """See how late this loop comes to something, for those who kept it; never ends."""
    while True:
        due = time.monotonic() + LATE_LOOK
        await asyncio.sleep(LATE_LOOK)
        blocking.late(due, time.monotonic())


async def _swaps(config: Config, router: Router, swap: Swap, clock: Clock) -> None:
    """Take new versions of plugins from the supervisor, which has checked them; never ends."""
    from relay.routing.handover import Handover
    from relay.routing.uptake import Uptake

    async def take(files: Files) -> None:
        changed = load(config.path, files=files)
        configure_log(changed)  # which masks its secrets
        await swap.take(offers(changed))

    handover = Handover(config.database)
    handover.begin()
    uptake = Uptake(handover, take, clock)
    while True:
        if router.started:
            await uptake.step()
        await clock.sleep(SWAP_LOOK)


async def _sender(config: Config, store: Store, clock: Clock, orders: _Orders) -> None:
    transport = build_transport(config)
    try:
        sender = build_sender(config, store, clock, transport)
        orders.serving()
        chore = asyncio.create_task(build_retention(config, store, clock, sender).run())
        try:
            await sender.run(orders.stop)
        finally:
            chore.cancel()
    finally:
        await transport.close()


async def _console(config: Config, store: Store, clock: Clock, orders: _Orders) -> None:
    from relay.console.app import create_console

    app = create_console(config, store)
    await _serve_http(app, config.console.host, config.console.port, orders)


_ROLES: dict[str, Callable[[Config, Store, Clock, _Orders], Awaitable[None]]] = {
    "receiver": _receiver,
    "router": _router,
    "sender": _sender,
    "console": _console,
}


async def _serve_http(app: Starlette, host: str, port: int, orders: _Orders) -> None:
    """Serve on the supervisor's socket, or on one of our own where there is no supervisor."""
    from relay.serving.server import Server

    server = Server(app, host, port, int(GRACE) - 1, orders.serving)
    await server.serve_until(orders.stop, orders.ties.lent(), orders.patience, orders.ties.hatch)
