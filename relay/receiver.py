"""The public door: keep what the platform pushes, then answer. No plugin, no console, no call to anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import itertools
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from relay.errors import BodyError, StorageError
from relay.store.protocol import Store
from relay.wire.crypto import open_body
from relay.wire.notifications import Reading, read_notifications

log = structlog.get_logger("relay.receiver")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LARGE = 256 * 1024  # bytes; a merge of 200 KB is read in a few milliseconds
ANSWER_WITHIN = 0.8  # seconds, of the platform's one (contract 4.1)
MOST_LATE = 64 * 1024 * 1024  # bytes that may wait in memory for the disk
WAITS = (0.05, 0.2, 0.5, 1.0)  # seconds before a disk that refused is asked again; the last one for ever
ANSWER = b'{"errcode":0}'  # the documented one, for good bodies and bad ones alike


@dataclass(frozen=True, slots=True, repr=False)
class ReceiverSettings:
    """What the receiver needs of the configuration; sizes in bytes, `answer_within` in seconds."""

    callback_path: str
    key: bytes
    allowed_ips: tuple[Network, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    max_body: int = 8 * 1024 * 1024
    allow_plaintext: bool = False
    answer_within: float = ANSWER_WITHIN
    most_late: int = MOST_LATE


class Receiver:
    """Opens, splits and keeps callback bodies."""

    def __init__(self, store: Store, settings: ReceiverSettings) -> None:
        self._store = store
        self._settings = settings
        self._accounts: set[str] = set()
        self._late: dict[asyncio.Task[None], int] = {}  # answered and not on disk yet, and how large
        self._late_bytes = 0
        self._uncounted: Counter[str] = Counter()
        self._refused = False
        self._ending = asyncio.Event()

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
        task = asyncio.create_task(self._keep_in_the_end(body))
        try:
            await asyncio.wait({task}, timeout=self._settings.answer_within)
        finally:
            if not task.done():
                self._be_late(task, len(body))

    def _be_late(self, task: asyncio.Task[None], size: int) -> None:
        """Answer what is not on disk, and hold on to it."""
        self._uncounted["acked_before_durable_total"] += 1
        log.warning("callback_acknowledged_before_durable", bytes=size)
        self._late[task] = size
        self._late_bytes += size
        task.add_done_callback(self._arrived)

    def _arrived(self, task: asyncio.Task[None]) -> None:
        self._late_bytes -= self._late.pop(task)

    async def finish(self, seconds: float) -> None:
        """Try once more to write what is late, for so long at most; the rest is lost."""
        self._ending.set()
        if self._late:
            await asyncio.wait(self._late, timeout=seconds)
        for task, size in list(self._late.items()):
            task.cancel()
            self._lose(size, "the process ends")

    def _lose(self, size: int, reason: str) -> None:
        self._uncounted["lost_total"] += 1
        log.error("callback_lost", error=reason, bytes=size)

    async def _keep_in_the_end(self, body: bytes) -> None:
        try:
            await self._keep(body)
        except StorageError as exc:
            self._lose(len(body), str(exc))
        except Exception as exc:  # noqa: BLE001 - a border: what nobody foresaw costs this body alone
            # Where and what kind, but never its words: they may be a customer's.
            place = traceback.extract_tb(exc.__traceback__)[-1]
            at = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
            log.error("callback_not_understood", error=type(exc).__name__, at=at, bytes=len(body))
            await self._keep_unforeseen(body)

    async def _keep(self, body: bytes) -> None:
        try:
            # A body that takes long to read is read beside the loop, so that other answers are not late.
            large = len(body) > LARGE
            reading = await asyncio.to_thread(self._read, body) if large else self._read(body)
        except BodyError as exc:
            log.warning("callback_unreadable", reason=exc.reason, bytes=len(body))
            await self._keep_damaged([(exc.reason, body)])
            return
        named = {entry.account for entry in reading.entries if entry.account}
        new = sorted(named - self._accounts)
        await self._insist(lambda: self._store.ingest(reading.entries, accounts=new))
        self._accounts |= named
        if reading.damaged:
            log.warning("callback_damaged", parts=reading.damaged_count)
            await self._keep_damaged([(part.reason, part.part) for part in reading.damaged])

    async def _keep_unforeseen(self, body: bytes) -> None:
        try:
            await self._keep_damaged([("internal", body)])
        except StorageError as exc:
            self._lose(len(body), str(exc))

    async def _keep_damaged(self, parts: list[tuple[str, bytes]]) -> None:
        await self._insist(lambda: self._store.keep_damaged(parts))

    async def _insist(self, write: Callable[[], Awaitable[object]]) -> None:
        """Write until the disk obeys; `StorageError` only when the process ends."""
        for seconds in itertools.chain(WAITS, itertools.repeat(WAITS[-1])):
            ending = self._ending.is_set()
            try:
                await write()
            except StorageError:
                self._refused = True
                if ending:
                    raise
            else:
                self._refused = False
                await self._count()
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), seconds)

    async def _count(self) -> None:
        """Put on disk what was counted while it could not be."""
        while self._uncounted:
            name, times = self._uncounted.popitem()
            try:
                await self._store.count(name, times)
            except StorageError:
                self._uncounted[name] += times
                return

    def _read(self, body: bytes) -> Reading:
        settings = self._settings
        return read_notifications(open_body(body, settings.key, allow_plaintext=settings.allow_plaintext))


class CallbackRoute(BaseRoute):
    """The callback path as a raw ASGI endpoint: what a framework does around one costs more than the store.

    The path is a secret, so it is compared in constant time.
    """

    def __init__(self, receiver: Receiver, settings: ReceiverSettings) -> None:
        self._receiver = receiver
        self._settings = settings
        self._path = settings.callback_path.encode()

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
        if self._settings.allowed_ips and not self._allowed(scope):
            return 403
        if scope["method"] not in ("POST", "GET", "HEAD"):
            return 404
        declared = _header(scope, b"content-length")
        return 413 if declared.isdigit() and int(declared) > self._settings.max_body else 200

    def _allowed(self, scope: Scope) -> bool:
        source = _source(scope, self._settings.trusted_proxies)
        return source is not None and _in(source, self._settings.allowed_ips)

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


async def _answer(send: Send, status: int) -> None:
    body = ANSWER if status == 200 else b""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 413:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _header(scope: Scope, name: bytes) -> str:
    found = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return ",".join(found)


def _source(
    scope: Scope, proxies: tuple[Network, ...]
) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Who sent it: the peer, or the nearest address in X-Forwarded-For that is no proxy of ours."""
    hops = [(scope.get("client") or ("", 0))[0]]
    hops += reversed(_header(scope, b"x-forwarded-for").split(","))
    for hop in hops:
        try:
            address = ipaddress.ip_address(hop.strip())
        except ValueError:
            return None
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if not _in(address, proxies):
            return address
    return None


def _in(address: ipaddress.IPv4Address | ipaddress.IPv6Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


def create_app(receiver: Receiver, settings: ReceiverSettings) -> Starlette:
    """The public door as an ASGI app: the callback path, health, and nothing else."""

    async def healthz(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> JSONResponse:
        reasons = [] if receiver.writing else ["storage"]
        return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    health = [_HealthRoute("/healthz", healthz), _HealthRoute("/readyz", readyz)]
    app = Starlette(routes=[CallbackRoute(receiver, settings), *health])
    app.router.redirect_slashes = False  # a redirect would give away that the path is nearly right
    return app
