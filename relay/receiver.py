"""The public door: keep what the platform pushes, then answer. No plugin, no console, no call to anywhere."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import traceback
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
ANSWER = b'{"errcode":0}'  # the documented one, for good bodies and bad ones alike


@dataclass(frozen=True, slots=True, repr=False)
class ReceiverSettings:
    """What the receiver needs of the configuration; `max_body` in bytes."""

    callback_path: str
    key: bytes
    allowed_ips: tuple[Network, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    max_body: int = 8 * 1024 * 1024
    allow_plaintext: bool = False


class Receiver:
    """Opens, splits and keeps callback bodies."""

    def __init__(self, store: Store, settings: ReceiverSettings) -> None:
        self._store = store
        self._settings = settings
        self._accounts: set[str] = set()
        self.writing = True  #: false after a write that failed, until one succeeds

    async def keep(self, body: bytes) -> None:
        """Put a callback's body on disk, good or bad; return when it is there.

        A body that the disk refuses is lost: the platform would not send it again, whatever we answered.
        """
        try:
            await self._keep(body)
            self.writing = True
        except StorageError as exc:
            self.writing = False
            log.error("callback_lost", error=str(exc), bytes=len(body))
        except Exception as exc:  # noqa: BLE001 - a border: what nobody foresaw costs this body alone
            # Where and what kind, but never its words: they may be a customer's.
            place = traceback.extract_tb(exc.__traceback__)[-1]
            at = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
            log.error("callback_not_understood", error=type(exc).__name__, at=at, bytes=len(body))
            await self._keep_damaged("internal", body)

    async def _keep(self, body: bytes) -> None:
        try:
            # A body that takes long to read is read beside the loop, so that other answers are not late.
            large = len(body) > LARGE
            reading = await asyncio.to_thread(self._read, body) if large else self._read(body)
        except BodyError as exc:
            log.warning("callback_unreadable", reason=exc.reason, bytes=len(body))
            await self._store.keep_damaged([(exc.reason, body)])
            return
        named = {entry.account for entry in reading.entries if entry.account}
        await self._store.ingest(reading.entries, accounts=sorted(named - self._accounts))
        self._accounts |= named
        if reading.damaged:
            log.warning("callback_damaged", parts=reading.damaged_count)
            await self._store.keep_damaged([(part.reason, part.part) for part in reading.damaged])

    async def _keep_damaged(self, reason: str, body: bytes) -> None:
        try:
            await self._store.keep_damaged([(reason, body)])
        except StorageError as exc:
            self.writing = False
            log.error("callback_lost", error=str(exc), bytes=len(body))

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
