"""What plugins remember: seen at once, and stored together with the decisions of the message behind it."""

from __future__ import annotations

import json
import math
from typing import Any

from relay.clock import Clock
from relay.config.values import Duration
from relay.store.protocol import Store
from relay.store.values import StateChange
from relay.wire.scalars import INT64_MAX, INT64_MIN

LATEST = 253_402_300_799_999  # the last millisecond of the calendar: nothing ends later

Key = tuple[str, str]
Stored = tuple[str, int | None]  # a value as JSON, and until when it counts (None: for good)


class StateBook:
    """The state of all plugins of one router: what is on disk, and over it the changes on their way there."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._pending: dict[Key, list[StateChange]] = {}
        self._settled = 0

    def open(self) -> StatePage:
        """A page for the changes that one call of a handler brings."""
        return StatePage(self)

    async def stored(self, key: Key) -> Stored | None:
        """What the disk says, as of the moment of the return: no change was settled while it was asked."""
        while True:
            settled = self._settled
            stored = await self._store.state(*key)
            if settled == self._settled:
                return stored

    def view(self, key: Key, stored: Stored | None) -> str | None:
        """The value as anybody sees it now: `stored`, and over it every change on its way."""
        now = self._clock.now()
        value, expires_at = stored or (None, None)
        for change in self._pending.get(key, ()):
            over = value is None or (expires_at is not None and expires_at <= now)
            value = change.value if change.by is None else str(change.by + (0 if over else _number(value)))
            expires_at = change.expires_at
        return None if expires_at is not None and expires_at <= now else value

    def change(self, key: Key, value: str | None, ttl: int | None, by: int | None = None) -> StateChange:
        """Show a change to everybody from now on; what is to be stored comes back."""
        expires_at = None if ttl is None else min(self._clock.now() + ttl, LATEST)
        change = StateChange(*key, value, expires_at, by)
        self._pending.setdefault(key, []).append(change)
        return change

    def settle(self, changes: tuple[StateChange, ...]) -> None:
        """Changes are on disk now, or are never to be; those of other messages stay."""
        self._settled += 1
        for change in changes:
            key = (change.plugin, change.key)
            self._pending[key] = [each for each in self._pending.get(key, ()) if each is not change]
            if not self._pending[key]:
                del self._pending[key]


def _number(value: str | None) -> int:
    return int(json.loads(value or "0"))


class StatePage:
    """The changes that one call of a handler brings, in their order."""

    def __init__(self, book: StateBook) -> None:
        self.book = book
        self._changes: list[StateChange] = []
        self._closed = False

    def close(self) -> tuple[StateChange, ...]:
        """What is to be stored with the message's decisions.

        Whatever a handler that outlived its time writes from here on goes nowhere.
        """
        self._closed = True
        return tuple(self._changes)

    def tear_out(self) -> None:
        """The handler failed: nothing that it changed is to be."""
        self.book.settle(self.close())

    def of(self, plugin: str) -> State:
        """The page as one plugin sees it."""
        return State(self, plugin)

    def write(self, key: Key, value: str | None, ttl: int | None, by: int | None = None) -> None:
        """Take down a change; RuntimeError once the handler has ended.

        Raises TypeError or ValueError for what could not be stored with the message's decisions later.
        """
        _check_text(key[1])
        if value is not None:
            _check_text(value)
        if self._closed:
            raise RuntimeError("the handler has ended: its state can be changed no more")
        self._changes.append(self.book.change(key, value, ttl, by))


class State:
    """A plugin's own memory: keys are texts, values whatever JSON can say. It survives restarts.

    Changes are stored in one transaction with what the handler decided: a crash neither loses nor doubles.
    """

    def __init__(self, page: StatePage, plugin: str) -> None:
        self._page = page
        self._plugin = plugin

    async def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401, RUF100 - any JSON value
        """The value, or `default` where there is none or its time is over."""
        value = await self._view(key)
        return default if value is None else json.loads(value)

    async def set(self, key: str, value: Any, *, ttl: str | float | None = None) -> None:  # noqa: ANN401, RUF100
        """Remember a value for good, or for `ttl` (`"10m"` or seconds).

        Raises TypeError or ValueError for what is not JSON.
        """
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        self._page.write((self._plugin, key), text, _milliseconds(ttl))

    async def delete(self, key: str) -> None:
        """Forget a value."""
        self._page.write((self._plugin, key), None, None)

    async def increment(self, key: str, by: int = 1, *, ttl: str | float | None = None) -> int:
        """Add to a number that begins at 0, and return it; others may add to it at the same time.

        Raises TypeError for what is no whole number, ValueError where 64 bits do not hold it.
        """
        _check_number(by)
        milliseconds = _milliseconds(ttl)
        _check_text(key)
        stored = await self._page.book.stored((self._plugin, key))
        _check_number(_number(self._page.book.view((self._plugin, key), stored)) + by)
        self._page.write((self._plugin, key), None, milliseconds, by)
        return _number(self._page.book.view((self._plugin, key), stored))

    async def _view(self, key: str) -> str | None:
        _check_text(key)
        stored = await self._page.book.stored((self._plugin, key))
        return self._page.book.view((self._plugin, key), stored)


def _milliseconds(ttl: str | float | None) -> int | None:
    if ttl is None:
        return None
    if isinstance(ttl, str):
        return int(Duration(ttl))
    if not math.isfinite(ttl):
        raise ValueError("ttl is no length of time")
    return round(min(max(ttl * 1000, 0), LATEST))


def _check_text(text: object) -> None:
    """What is not text, or cannot be stored as such."""
    if not isinstance(text, str):
        raise TypeError(f"a key is a string, not {type(text).__name__}")
    text.encode()


def _check_number(number: object) -> None:
    if not isinstance(number, int):
        raise TypeError(f"what is added is a whole number, not {type(number).__name__}")
    if not INT64_MIN <= number <= INT64_MAX:
        raise ValueError("64 bits do not hold the number")
