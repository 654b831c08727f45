"""Access tokens: issued, ended by a newer one, expired after two hours."""

from __future__ import annotations

import hmac

from relay.clock import Clock
from relay.simulator.answers import Refusal

LIFE_SECONDS = 7200


class Tokens:
    """The tokens of one API user; reproducible, and not to be guessed without the secret."""

    def __init__(self, secret: str, clock: Clock, *, new_ends_old: bool) -> None:
        self._secret = secret.encode()
        self._clock = clock
        self._new_ends_old = new_ends_old
        self._ends: dict[str, int] = {}
        self._issued = 0

    def issue(self) -> str:
        """Give a new token."""
        self._issued += 1
        token = hmac.new(self._secret, b"token %d" % self._issued, "sha256").hexdigest()
        if self._new_ends_old:
            self._ends.clear()
        self._ends[token] = self._clock.now() + LIFE_SECONDS * 1000
        return token

    def check(self, token: str) -> None:
        """Raise the Refusal that fits: 112 empty, 110 wrong or ended by a newer one, 111 expired."""
        if not token:
            raise Refusal(112, "access_token is empty")
        end = self._ends.get(token)
        if end is None:
            raise Refusal(110, "access_token is wrong")
        if self._clock.now() >= end:
            raise Refusal(111, "access_token has expired")

    def end_all(self) -> None:
        """End every token, as if somebody else had fetched a new one."""
        self._ends.clear()

    def expire_all(self) -> None:
        """Let every token expire now: 111 for whoever still uses one."""
        now = self._clock.now()
        self._ends = {token: min(end, now) for token, end in self._ends.items()}
