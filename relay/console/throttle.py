"""Guessing made slow: who was wrong a few times has to wait, and twice as long each time after."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from relay.clock import Clock

FREE = 5  # different wrong passwords before the first wait
FIRST_WAIT = 1_000  # ms, doubled with every further one
LONGEST_WAIT = 30_000  # ms: so long at the most is somebody kept out by a neighbour at the same address
QUIET = 900_000  # ms without a guess, and all is forgotten
MOST_SOURCES = 1024
MOST_GUESSES = 32  # of one source that are known again


@dataclass(slots=True)
class _Source:
    """What somebody at one address has tried; the guesses as digests that tell nothing."""

    last: int = 0
    wait: int = 0
    guesses: OrderedDict[bytes, None] = field(default_factory=OrderedDict)
    count: int = 0


class Throttle:
    """Counts wrong passwords by address; the same wrong one again is no further guess.

    So a program with an old password, however often it asks, keeps nobody else out.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._sources: OrderedDict[str, _Source] = OrderedDict()

    def wait(self, peer: str) -> int:
        """Milliseconds until this address may show a password again; 0 where it may now."""
        source = self._sources.get(source_of(peer))
        if source is None:
            return 0
        passed = self._passed(source)
        return 0 if passed >= source.wait else source.wait - passed

    def failed(self, peer: str, token: bytes) -> None:
        """Note a wrong password."""
        name = source_of(peer)
        source = self._sources.pop(name, None)
        if source is None or self._passed(source) > QUIET:
            source = _Source()
        self._sources[name] = source
        if len(self._sources) > MOST_SOURCES:
            self._sources.popitem(last=False)
        self._count(source, hmac.digest(self._key, token, "sha256"))

    def _count(self, source: _Source, guess: bytes) -> None:
        known = guess in source.guesses
        source.guesses[guess] = None
        source.guesses.move_to_end(guess)
        if len(source.guesses) > MOST_GUESSES:
            source.guesses.popitem(last=False)
        if known:
            return
        source.count += 1
        source.last = self._clock.now()
        over = source.count - FREE
        source.wait = min(FIRST_WAIT << min(over, 10), LONGEST_WAIT) if over >= 0 else 0

    def _passed(self, source: _Source) -> int:
        """Since the last guess; a clock that was put back keeps nobody waiting for it."""
        passed = self._clock.now() - source.last
        return passed if passed >= 0 else QUIET


def source_of(peer: str) -> str:
    """Whose address this is: IPv4 as it is, of IPv6 the network that one customer gets."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
