"""A list that may forget its oldest entries: a number stays a number, whatever has gone before it."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


class ForgottenError(LookupError):
    """The entry with this number is no longer kept."""


class Shelf(list[T]):
    """Positions count what is kept, numbers count from the beginning; with no limit they are the same.

    At most a tenth more than `limit` is kept, so that forgetting costs next to nothing.
    """

    def __init__(self, limit: int | None = None) -> None:
        super().__init__()
        self._limit = limit
        self._gone = 0

    @property
    def total(self) -> int:
        """How many there have ever been, and so the number of the next one."""
        return self._gone + len(self)

    def put(self, entry: T) -> list[T]:
        """Add an entry, and give those that are forgotten for it."""
        self.append(entry)
        if self._limit is None or len(self) <= self._limit + self._limit // 10:
            return []
        forgotten = self[: -self._limit]
        del self[: -self._limit]
        self._gone += len(forgotten)
        return forgotten

    def numbered(self, number: int) -> T:
        """Give the entry with this number; ForgottenError if it is kept no longer."""
        return self[self._position(number)]

    def replace(self, number: int, entry: T) -> None:
        """Put another entry in the place of this number; ForgottenError if it is kept no longer."""
        self[self._position(number)] = entry

    def keeps(self, number: int) -> bool:
        """Say whether the entry with this number is kept."""
        return self._gone <= number < self.total

    def since(self, number: int) -> list[T]:
        """Give what is kept from this number on."""
        return self[max(0, number - self._gone) :]

    def _position(self, number: int) -> int:
        if not self.keeps(number):
            raise ForgottenError(f"number {number} is not kept")
        return number - self._gone
