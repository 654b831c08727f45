"""Tells what two journals of one receiver both have: disk and spool, where its process ended in between."""

from __future__ import annotations

from collections import Counter, defaultdict
from hashlib import blake2b

from relay.store.journal import Record


class Copies:
    """A body that one journal has twice came twice; one that two have once each came once."""

    def __init__(self) -> None:
        self._seen: defaultdict[bytes, Counter[str]] = defaultdict(Counter)

    def is_new(self, journal: str, record: Record) -> bool:
        """Whether this record came by no other journal; each is to be asked about once."""
        came = record.received_at.to_bytes(8, "little", signed=True)
        seen = self._seen[blake2b(record.body, key=came, digest_size=16).digest()]
        seen[journal] += 1
        return all(seen[journal] > times for other, times in seen.items() if other != journal)
