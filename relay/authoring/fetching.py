"""Requests to the web that cannot be led into the machine's own network."""

from __future__ import annotations

import asyncio
import ipaddress
import json as encoding
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from aiohttp import ClientSession

MOST_REDIRECTS = 5
MOST_READ = 1 << 20  # bytes of an answer
NAT64 = ipaddress.ip_network("64:ff9b::/96")
GETTING = frozenset({301, 302, 303})
REDIRECTING = frozenset({*GETTING, 307, 308})

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class FetchError(Exception):
    """The request got no answer, or was not made; the words name neither secrets nor what was sent."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: its status, and at most the first megabyte of its body."""

    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether it was taken."""
        return 200 <= self.status < 300

    def json(self) -> Any:  # noqa: ANN401, RUF100 - whatever was answered
        """The body as JSON; `FetchError` where it is none."""
        try:
            return encoding.loads(self.body)
        except ValueError as exc:
            raise FetchError("the answer is not JSON") from exc


async def fetch(
    url: str,
    *,
    method: str = "POST",
    json: object = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 4.0,  # noqa: ASYNC109 - it is over the whole of it, redirects included
    private: bool = False,
) -> Fetched:
    """One request over http or https; `timeout` is in seconds, over all of it.

    Addresses that are not public (private, loopback, link-local and the like) are refused, also behind a name
    or a redirect: the address that was looked at is the one that is connected to. `private` allows them, for
    a service of your own. Raises `FetchError`.
    """
    from aiohttp import ClientError, ClientSession, ClientTimeout

    try:
        async with (
            asyncio.timeout(timeout),
            ClientSession(connector=_connector(private), timeout=ClientTimeout(total=None)) as session,
        ):
            return await _follow(session, url, method, json, dict(headers or {}), private)
    except TimeoutError as exc:
        raise FetchError(f"no answer within {timeout:g} s") from exc
    except (ClientError, OSError, ValueError) as exc:
        raise FetchError(_reason(exc)) from exc


def _reason(exc: BaseException) -> str:
    """Why it failed; a refusal of ours may be wrapped in the library's own error."""
    at: BaseException | None = exc
    while at is not None:
        if isinstance(at, _ForbiddenError):
            return str(at)
        at = at.__cause__ or at.__context__
    return type(exc).__name__


class _ForbiddenError(OSError):
    """An address that is not public."""


async def _follow(
    session: ClientSession, url: str, method: str, json: object, headers: dict[str, str], private: bool
) -> Fetched:
    for _ in range(MOST_REDIRECTS + 1):
        _permitted(url, private)
        async with session.request(
            method, url, json=json, headers=headers, allow_redirects=False, max_line_size=8190
        ) as answer:
            to = answer.headers.get("Location")
            if answer.status not in REDIRECTING or to is None:
                return Fetched(answer.status, await _read(answer.content))
        further = urljoin(url, to)
        if _origin(further) != _origin(url):
            headers = {name: each for name, each in headers.items() if name.lower() != "authorization"}
        if answer.status in GETTING and method != "HEAD":
            method, json = "GET", None
        url = further
    raise FetchError(f"more than {MOST_REDIRECTS} redirects")


async def _read(content: Any) -> bytes:  # noqa: ANN401, RUF100 - aiohttp's stream
    parts = bytearray()
    async for part in content.iter_chunked(1 << 16):
        parts += part
        if len(parts) >= MOST_READ:
            break
    return bytes(parts[:MOST_READ])


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _permitted(url: str, private: bool) -> None:
    """Raise for what is no web address, or has an address for a name that is not public."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FetchError("not an http or https address")
    try:
        address = ipaddress.ip_address(parts.hostname.partition("%")[0])
    except ValueError:
        return  # a name: its addresses are looked at when they are known
    if not private and not is_public(address):
        raise _ForbiddenError(f"{address} is not a public address")


def is_public(address: Address) -> bool:
    """Whether this is an address of the internet, and nothing within it leads elsewhere."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that one of IPv6 stands for."""
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def _connector(private: bool) -> Any:  # noqa: ANN401, RUF100 - aiohttp is not loaded before it is needed
    from aiohttp import TCPConnector
    from aiohttp.abc import AbstractResolver, ResolveResult
    from aiohttp.resolver import ThreadedResolver

    class Resolver(AbstractResolver):
        """Names as everybody's, but for those that lead where nobody may go."""

        def __init__(self) -> None:
            self._names = ThreadedResolver()

        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            found = await self._names.resolve(host, port, family)
            for each in found:
                if not private and not is_public(ipaddress.ip_address(each["host"].partition("%")[0])):
                    raise _ForbiddenError(f"{host} is not at a public address")
            return found

        async def close(self) -> None:
            await self._names.close()

    return TCPConnector(resolver=Resolver(), use_dns_cache=False, limit=8)
