"""The public door: keep what the platform pushes, then answer. No plugin, no console, no call to anywhere."""

from __future__ import annotations

import asyncio
import hmac
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from relay.clock import Clock
from relay.errors import BodyError, StorageError
from relay.large import Large
from relay.sources import Network, Sources
from relay.store.protocol import Store
from relay.wire.crypto import open_body
from relay.wire.notifications import Damage, Reading, read_in_chunks, read_notifications

log = structlog.get_logger("relay.receiver")

T = TypeVar("T")

LARGE = 256 * 1024  # bytes; a merge of 200 KB is read in a few milliseconds
ANSWER_WITHIN = 0.8  # seconds, of the platform's one (contract 4.1)
MANY = 4096  # objects and arrays in a body: so many are read in some 40 milliseconds
MOST_LATE = 64 * 1024 * 1024  # bytes that may wait in memory for the disk
AGAIN = 0.2  # seconds before a disk that refused is asked again; whoever comes meanwhile is still in time
TELL_WITHIN = 1.0  # seconds in which bodies that cannot be read are told of together
ANSWER = b'{"errcode":0}'  # the documented one, for good bodies and bad ones alike


@dataclass(frozen=True, slots=True, repr=False)
class ReceiverSettings:
    """What the receiver needs of the configuration; sizes in bytes, `answer_within` in seconds."""

    callback_path: str
    key: bytes
    allowed_ips: tuple[Network, ...] = ()
    platform_ips: bool = False
    trusted_proxies: tuple[Network, ...] = ()
    max_body: int = 8 * 1024 * 1024
    allow_plaintext: bool = False
    answer_within: float = ANSWER_WITHIN
    most_late: int = MOST_LATE


@dataclass(frozen=True, slots=True, repr=False)
class _Waiting:
    """A body that waits for the disk, and whoever waits for its answer."""

    body: bytes
    reading: Reading | None
    answer: asyncio.Future[None]


def _answer_all(batch: list[_Waiting]) -> None:
    for each in batch:
        if not each.answer.done():
            each.answer.set_result(None)


class Receiver:
    """Opens, splits and keeps callback bodies."""

    def __init__(self, store: Store, settings: ReceiverSettings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._accounts: set[str] = set()
        self._batch: list[_Waiting] = []  # what this turn of the loop has brought so far
        self._under_way: dict[asyncio.Task[None], list[int]] = {}  # batches, and how large their bodies are
        self._late: dict[asyncio.Task[None], list[int]] = {}  # answered and not on disk yet
        self._late_bytes = 0
        self._uncounted: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        self._refused = False
        self._ending = False
        self._turn: asyncio.Task[None] | None = None  # until the disk is asked again
        self._large = Large(
            store, self._read_in_chunks, lambda part, at: self._keep_readings([part], at), self._insist
        )

    def resume(self) -> None:
        """Read the large bodies that an earlier receiver left unread."""
        self._large.resume()

    @property
    def writing(self) -> bool:
        """Whether whatever was answered is on disk, or nearly so."""
        return not self._refused and not self._late

    async def keep(self, body: bytes) -> None:
        """Return once a callback's body, good or bad, is on disk, or once its answer may wait no longer.

        A body that is late stays in memory until the disk takes it or the process ends: the platform would
        not send it again, whatever we answered.
        """
        if self._late_bytes + len(body) > self._settings.most_late:
            self._lose(len(body), "too much waits for the disk")
            return
        waiting = _Waiting(body, self._read_at_once(body), asyncio.get_running_loop().create_future())
        if not self._batch:
            asyncio.get_running_loop().call_soon(self._send_off)
        self._batch.append(waiting)
        await waiting.answer

    def _read_at_once(self, body: bytes) -> Reading | None:
        """What a body brought; None where it is to be looked at by itself."""
        try:
            return self._read(body)
        except Exception:  # noqa: BLE001 - found again, and told, by whoever looks at it by itself
            return None

    def _send_off(self) -> None:
        """Write what this turn of the loop brought: one task and one clock for all of it cost less."""
        batch, self._batch = self._batch, []
        now = self._clock.now()  # also for what the disk takes much later: answers expire by it
        good = [each for each in batch if each.reading is not None]
        if good:
            self._begin(self._keep_batch(good, now), good)
        for each in batch:
            if each.reading is None:
                self._begin(self._keep_in_the_end(each.body, now), [each])

    def _begin(self, work: Coroutine[object, object, None], batch: list[_Waiting]) -> None:
        task = asyncio.create_task(work)
        self._under_way[task] = [len(each.body) for each in batch]
        clock = asyncio.get_running_loop().call_later(
            self._settings.answer_within, self._be_late, task, batch
        )

        def over(_: object) -> None:
            clock.cancel()
            self._late_bytes -= sum(self._late.pop(task, ()))
            self._under_way.pop(task, None)
            _answer_all(batch)

        task.add_done_callback(over)

    def _be_late(self, task: asyncio.Task[None], batch: list[_Waiting]) -> None:
        """Answer what is not on disk, and hold on to it."""
        self._late[task] = self._under_way[task]
        size = sum(self._late[task])
        self._late_bytes += size
        self._uncounted["acked_before_durable_total"] += len(batch)
        log.warning("callback_acknowledged_before_durable", callbacks=len(batch), bytes=size)
        _answer_all(batch)

    async def finish(self, seconds: float) -> None:
        """Try once more to write what is late, for so long at most; the rest is lost."""
        self._ending = True
        self._tell_all()
        if self._batch:
            self._send_off()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=seconds)
        self._large.stop()
        for task, sizes in list(self._under_way.items()):
            task.cancel()
            for size in sizes:
                self._lose(size, "the process ends")

    def _lose(self, size: int, reason: str) -> None:
        self._uncounted["lost_total"] += 1
        log.error("callback_lost", error=reason, bytes=size)

    async def _keep_batch(self, batch: list[_Waiting], at: int) -> None:
        try:
            await self._keep_readings([each.reading for each in batch if each.reading is not None], at)
        except StorageError as exc:
            for each in batch:
                self._lose(len(each.body), str(exc))
        except Exception:  # noqa: BLE001 - a border: whichever of them it was costs itself alone
            for each in batch:
                await self._keep_in_the_end(each.body, at)

    async def _keep_in_the_end(self, body: bytes, at: int) -> None:
        try:
            await self._keep(body, at)
        except StorageError as exc:
            self._lose(len(body), str(exc))
        except Exception as exc:  # noqa: BLE001 - a border: what nobody foresaw costs this body alone
            # Where and what kind, but never its words: they may be a customer's.
            place = traceback.extract_tb(exc.__traceback__)[-1]
            where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
            log.error("callback_not_understood", error=type(exc).__name__, at=where, bytes=len(body))
            await self._keep_unforeseen(body, at)

    async def _keep(self, body: bytes, at: int) -> None:
        """One read and one write, whatever the body is: an answer's time must not tell how good it was."""
        reading = self._read(body)
        if reading is None:
            await self._large.keep(body, at)
        else:
            await self._keep_readings([reading], at)

    async def _keep_readings(self, readings: list[Reading], at: int) -> None:
        entries = [entry for reading in readings for entry in reading.entries]
        named = {entry.account for entry in entries if entry.account}
        new = sorted(named - self._accounts)
        damaged = [(part.reason, part.part) for reading in readings for part in reading.damaged]
        await self._insist(lambda: self._store.ingest(entries, accounts=new, damaged=damaged, received_at=at))
        self._accounts |= named
        for reading in readings if damaged else ():
            self._tell(reading)

    def _tell(self, reading: Reading) -> None:
        """Say what came and cannot be read, together and later: now it would cost the answer time."""
        if not reading.damaged:
            return
        if not self._untold:
            asyncio.get_running_loop().call_later(TELL_WITHIN, self._tell_all)
        self._untold.update(part.reason for part in reading.damaged)

    def _tell_all(self) -> None:
        told = dict(sorted(self._untold.items()))
        self._untold.clear()
        if told:
            log.warning("callback_unreadable", parts=sum(told.values()), reasons=told)

    async def _keep_unforeseen(self, body: bytes, at: int) -> None:
        try:
            await self._insist(lambda: self._store.ingest((), damaged=[("internal", body)], received_at=at))
        except StorageError as exc:
            self._lose(len(body), str(exc))

    async def _insist(self, write: Callable[[], Awaitable[T]]) -> T:
        """Write until the disk obeys, in the order received; `StorageError` only when the process ends."""
        while True:
            if self._refused and not self._ending:
                await self._next_turn()
            ending = self._ending
            try:
                written = await write()
            except StorageError:
                self._refused = True
                if ending:
                    raise
            else:
                self._refused = False
                await self._count()
                return written

    async def _next_turn(self) -> None:
        """Wait with all whom the disk refused, and who came since: they ask again in this order."""
        if self._turn is None or self._turn.done():
            self._turn = asyncio.create_task(asyncio.sleep(AGAIN))
        await asyncio.shield(self._turn)

    async def _count(self) -> None:
        """Put on disk what was counted while it could not be."""
        while self._uncounted:
            name, times = self._uncounted.popitem()
            try:
                await self._store.count(name, times)
            except StorageError:
                self._uncounted[name] += times
                return

    def _read(self, body: bytes) -> Reading | None:
        """All that a body brought, one that cannot be opened as damage; None where reading takes long."""
        if len(body) > LARGE:
            return None
        try:
            text = self._open(body)
            return None if text.count(b"{") + text.count(b"[") > MANY else read_notifications(text)
        except BodyError as exc:
            return Reading((), (Damage(exc.reason, body),), 1)

    def _read_in_chunks(self, body: bytes) -> Iterator[Reading]:
        """The same, a part at a time."""
        try:
            yield from read_in_chunks(self._open(body))
        except BodyError as exc:
            yield Reading((), (Damage(exc.reason, body),), 1)

    def _open(self, body: bytes) -> bytes:
        return open_body(body, self._settings.key, allow_plaintext=self._settings.allow_plaintext)


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
    app.router.default = _nothing
    app.router.redirect_slashes = False  # a redirect would give away that the path is nearly right
    return app
