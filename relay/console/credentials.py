"""Who may see what: the password opens everything, the metrics token /metrics alone."""

from __future__ import annotations

import hmac
import secrets

METRICS = "/metrics"


class Credentials:
    """Knows the secrets only as digests under a key of its own: to compare takes the same time always."""

    def __init__(self, password: str, metrics_token: str = "") -> None:
        """An empty one opens nothing."""
        self._key = secrets.token_bytes(32)
        self._password, self._token = (self._known(each) for each in (password, metrics_token))

    def open(self, path: str, given: bytes) -> bool:
        """Whether this opens that path."""
        shown = self._digest(given)
        knows_password = hmac.compare_digest(shown, self._password)
        knows_token = hmac.compare_digest(shown, self._token)
        return knows_password or (knows_token and path == METRICS)

    def _known(self, secret: str) -> bytes:
        """Its digest; of none, something that nothing has for a digest."""
        return self._digest(secret.encode()) if secret else secrets.token_bytes(64)

    def _digest(self, text: bytes) -> bytes:
        return hmac.digest(self._key, text, "sha256")
