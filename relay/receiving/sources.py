"""Who may post: the addresses of bot.toml, those that the platform lists, and the proxies in between."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from relay.clock import Clock
from relay.errors import StorageError

log = structlog.get_logger("relay.sources")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LISTED = "platform_ips"  # the fact in the store that holds the platform's last list
LOOK = 1.0  # seconds after which a new list counts
MOST_HOPS = 32  # in X-Forwarded-For; nobody has so many proxies


class Facts(Protocol):
    """What the last list is kept in."""

    def version(self) -> int:
        """A number that differs after every commit."""

    async def meta(self, key: str) -> str | None:
        """What is known under a key."""


def read_networks(words: Iterable[str]) -> tuple[list[Network], int]:
    """Addresses and networks, each once, in the order given; and how many words were neither."""
    found: dict[Network, None] = {}
    strange = 0
    for word in words:
        try:
            network = ipaddress.ip_network(word.strip(), strict=False)
        except ValueError:
            strange += 1
            continue
        if network.prefixlen:  # "anybody" is nothing that a list of servers may say
            found[network] = None
        else:
            strange += 1
    return list(found), strange


@dataclass(frozen=True, slots=True)
class PlatformList:
    """The platform's last list, and when it was fetched in milliseconds since 1970."""

    networks: tuple[Network, ...]
    at: int

    def written(self) -> str:
        """As it is kept."""
        return json.dumps({"at": self.at, "networks": [str(each) for each in self.networks]})

    @classmethod
    def read(cls, text: str | None) -> PlatformList | None:
        """None where none was ever fetched."""
        if text is None:
            return None
        kept = json.loads(text)
        return cls(tuple(read_networks(kept["networks"])[0]), kept["at"])


async def platform_list(facts: Facts) -> PlatformList | None:
    """The last list, or None where none was ever fetched."""
    return PlatformList.read(await facts.meta(LISTED))


class Sources:
    """Judges where a request comes from."""

    def __init__(
        self, allowed: tuple[Network, ...], proxies: tuple[Network, ...], *, platform: bool = False
    ) -> None:
        """`platform` lets in whoever the platform lists too; until it has, everybody.

        A refused push is lost for good, while the path is a secret and bodies are encrypted.
        """
        self._allowed = allowed
        self._proxies = proxies
        self._platform = platform
        self._listed: PlatformList | None = None
        self._told = False
        self._seen = -1

    def admit(self, scope: Mapping[str, Any]) -> bool:
        """Whether a request may come in."""
        if not self._allowed and not self._platform:
            return True
        if self._platform and self._listed is None:
            return True
        source = source_of(scope, self._proxies)
        if source is None:
            return False
        return _in(source, self._allowed) or (self._listed is not None and _in(source, self._listed.networks))

    async def follow(self, facts: Facts, clock: Clock) -> None:
        """Learn of every new list, until cancelled."""
        while self._platform:
            try:
                await self.look(facts)
            except StorageError as exc:
                log.warning("platform_ips_not_read", error=str(exc))
            await clock.sleep(LOOK)

    async def look(self, facts: Facts) -> None:
        """Take over the last list, if there is a new one."""
        version = facts.version()
        if not self._platform or version == self._seen:
            return
        listed = await platform_list(facts)
        self._seen = version
        if listed is None and not self._told:
            log.warning("platform_ips_unknown", allowed="everybody")
            self._told = True
        if listed is not None and listed != self._listed:
            if self._listed is None or listed.networks != self._listed.networks:
                log.info("platform_ips_in_force", count=len(listed.networks))
            self._listed = listed


def source_of(scope: Mapping[str, Any], proxies: tuple[Network, ...]) -> Address | None:
    """Who sent it: the peer, or the nearest address in X-Forwarded-For that is no proxy of ours.

    None where that cannot be told: what stands beyond a word that is no address, anybody may have written.
    """
    peer = address_of((scope.get("client") or ("", 0))[0])
    if peer is None or not _in(peer, proxies):
        return peer
    for hop in _hops(scope):
        address = address_of(hop)
        if address is None or not _in(address, proxies):
            return address
    return None


def _hops(scope: Mapping[str, Any]) -> list[str]:
    """X-Forwarded-For from the nearest on; several such headers are one list."""
    headers = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return b",".join(headers).decode("latin-1").rsplit(",", MOST_HOPS)[::-1][:MOST_HOPS]


def address_of(word: str) -> Address | None:
    """An address as proxies write it: with a port or without, in brackets or not; None for anything else."""
    word = word.strip()
    if word.startswith("["):
        word = word[1:].partition("]")[0]
    elif word.count(":") == 1:
        word = word.partition(":")[0]
    try:
        address = ipaddress.ip_address(word.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _in(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)
