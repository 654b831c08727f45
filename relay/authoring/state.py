"""What plugins remember: seen at once, and stored together with the decisions of the message behind it."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import math
from dataclasses import dataclass
from typing import Any

from relay.authoring.length import Length
from relay.clock import Clock
from relay.config.values import Duration
from relay.store.protocol import Store
from relay.store.values import StateChange
from relay.wire.scalars import INT64_MAX, INT64_MIN

MARK = "\x1f"  # before the ids in a stored key: no key of a plugin's begins with it
LATEST = 253_402_300_799_999  # the last millisecond of the calendar: nothing ends later

Key = tuple[str, str]
Stored = tuple[str, int | None]  # a value as JSON, and until when it counts (None: for good)


@dataclass(frozen=True, slots=True)
class _Pending:
    """A change on its way, whose it is, and whether it rests on what was there before."""

    change: StateChange
    owner: object
    compared: bool


class StateBook:
    """The state of all plugins of one router: what is on disk, and over it the changes on their way there."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._pending: dict[Key, list[_Pending]] = {}
        self._waiting: dict[object, Key] = {}
        self._bells: dict[Key, asyncio.Event] = {}
        self._settled = 0

    def open(self, owner: object = None) -> StatePage:
        """A page for the changes that one call of a handler brings.

        Pages of one `owner` are stored together; without one a page is stored by itself.
        """
        return StatePage(self, owner)

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
        for change in (each.change for each in self._pending.get(key, ())):
            over = value is None or (expires_at is not None and expires_at <= now)
            value = change.value if change.by is None else str(change.by + (0 if over else _number(value)))
            expires_at = change.expires_at
        return None if expires_at is not None and expires_at <= now else value

    async def turn(self, key: Key, owner: object, *, compares: bool = False) -> bool:
        """Wait until nobody else's change decides what ours may be; false where they wait for us, too.

        Who compares waits for every change by others, and whoever changes waits for those who compared: so
        what was compared with is still there when the change is stored.
        """
        while self._others(key, owner, compares):
            if self._in_a_circle(key, owner):
                return False
            self._waiting[owner] = key
            try:
                await self._bells.setdefault(key, asyncio.Event()).wait()
            finally:
                self._waiting.pop(owner, None)
        return True

    async def at_turn(self, key: Key, owner: object, *, compares: bool = False) -> tuple[bool, Stored | None]:
        """The same, and what the disk says as of the return: nobody came in between."""
        while True:
            free = await self.turn(key, owner, compares=compares)
            stored = await self.stored(key)
            if not free or not self._others(key, owner, compares):
                return free, stored

    def _others(self, key: Key, owner: object, compares: bool) -> bool:
        pending = self._pending.get(key, ())
        return any(each.owner is not owner and (compares or each.compared) for each in pending)

    def _in_a_circle(self, key: Key, owner: object) -> bool:
        """Whether somebody whom we would wait for waits for us, by way of however many."""
        seen: set[object] = set()
        others = self._owners(key) - {owner}
        while others:
            each = others.pop()
            if each in seen or each not in self._waiting:
                continue
            seen.add(each)
            behind = self._owners(self._waiting[each])
            if owner in behind:
                return True
            others |= behind
        return False

    def _owners(self, key: Key) -> set[object]:
        return {each.owner for each in self._pending.get(key, ())}

    def change(
        self,
        key: Key,
        value: str | None,
        ttl: int | None,
        by: int | None,
        owner: object,
        *,
        compared: bool = False,
    ) -> StateChange:
        """Show a change to everybody from now on; what is to be stored comes back."""
        expires_at = None if ttl is None else min(self._clock.now() + ttl, LATEST)
        change = StateChange(*key, value, expires_at, by)
        self._pending.setdefault(key, []).append(_Pending(change, owner, compared))
        return change

    def settle(self, changes: tuple[StateChange, ...]) -> None:
        """Changes are on disk now, or are never to be; those of other messages stay."""
        self._settled += 1
        for change in changes:
            key = (change.plugin, change.key)
            self._pending[key] = [each for each in self._pending.get(key, ()) if each.change is not change]
            if not self._pending[key]:
                del self._pending[key]
            if self._bells and (bell := self._bells.pop(key, None)) is not None:
                bell.set()


def _number(value: str | None) -> int:
    number = json.loads(value or "0")
    if type(number) is not int:
        raise TypeError(f"what is there is no whole number, but {type(number).__name__}")
    return number


class StatePage:
    """The changes that one call of a handler brings, in their order."""

    def __init__(self, book: StateBook, owner: object = None) -> None:
        self.book = book
        self.owner = self if owner is None else owner
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

    def write(
        self, key: Key, value: str | None, ttl: int | None, by: int | None = None, *, compared: bool = False
    ) -> None:
        """Take down a change; RuntimeError once the handler has ended.

        Raises TypeError or ValueError for what could not be stored with the message's decisions later.
        """
        if value is not None:
            _check_text(value)
        if self._closed:
            raise RuntimeError("the handler has ended: its state can be changed no more")
        self._changes.append(self.book.change(key, value, ttl, by, self.owner, compared=compared))


class State:
    """A plugin's own memory: keys are texts, values whatever JSON can say. It survives restarts.

    Changes are stored in one transaction with what the handler decided: a crash neither loses nor doubles.
    """

    def __init__(self, page: StatePage, plugin: str, chat: str = "", sender: str = "") -> None:
        self._page = page
        self._plugin = plugin
        self._chat = chat
        self._sender = sender

    def of(self, *, chat: str = "", sender: str = "") -> State:
        """The same for one chat, one person, or one person in one chat: keys there are apart from all others.

        `relay forget` clears what was kept for a person or a chat.
        """
        for wxid in (chat, sender):
            _check_text(wxid)
            if MARK in wxid:
                raise ValueError("this is not the id of a chat or a person")
        if not chat and not sender:
            raise ValueError("of() needs a chat, a sender or both")
        return State(self._page, self._plugin, chat or self._chat, sender or self._sender)

    async def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401, RUF100 - any JSON value
        """The value, or `default` where there is none or its time is over."""
        value = await self._view(self._key(key))
        return default if value is None else json.loads(value)

    async def set(self, key: str, value: Any, *, ttl: Length | None = None) -> None:  # noqa: ANN401, RUF100
        """Remember a value for good, or for `ttl` (`"10m"`, seconds or a timedelta).

        Raises TypeError or ValueError for what is not JSON.
        """
        text, milliseconds, whole = _json(value), _milliseconds(ttl), self._key(key)
        await self._page.book.turn(whole, self._page.owner)
        self._page.write(whole, text, milliseconds)

    async def delete(self, key: str) -> None:
        """Forget a value."""
        whole = self._key(key)
        await self._page.book.turn(whole, self._page.owner)
        self._page.write(whole, None, None)

    async def increment(self, key: str, by: int = 1, *, ttl: Length | None = None) -> int:
        """Add to a number that begins at 0, and return it; others may add to it at the same time.

        Raises TypeError for what is no whole number, ValueError where 64 bits do not hold it.
        """
        _check_number(by)
        milliseconds, whole = _milliseconds(ttl), self._key(key)
        _, stored = await self._page.book.at_turn(whole, self._page.owner)
        _check_number(_number(self._page.book.view(whole, stored)) + by)
        self._page.write(whole, None, milliseconds, by)
        return _number(self._page.book.view(whole, stored))

    async def compare_and_set(
        self,
        key: str,
        expected: Any,  # noqa: ANN401, RUF100 - any JSON value
        value: Any,  # noqa: ANN401, RUF100 - any JSON value
        ttl: Length | None = None,
    ) -> bool:
        """Remember a value if the one before is `expected` (None: there is none); whether it was.

        Of many that expect the same at the same time, one gets its way, and the others wait until it is
        stored, or failed. `value=None` forgets the key. Raises TypeError or ValueError for what is not JSON.
        """
        text, wanted = None if value is None else _json(value), json.loads(_json(expected))
        milliseconds, whole = _milliseconds(ttl), self._key(key)
        free, stored = await self._page.book.at_turn(whole, self._page.owner, compares=True)
        found = self._page.book.view(whole, stored)
        if not free or (None if found is None else json.loads(found)) != wanted:
            return False
        self._page.write(whole, text, milliseconds, compared=True)
        return True

    async def _view(self, key: Key) -> str | None:
        return self._page.book.view(key, await self._page.book.stored(key))

    def _key(self, key: str) -> Key:
        """The key as it is stored: with whose it is before it."""
        _check_text(key)
        if key.startswith(MARK):
            raise ValueError("a key cannot begin with this character")
        if not self._chat and not self._sender:
            return self._plugin, key
        return self._plugin, f"{MARK}{self._chat}{MARK}{self._sender}{MARK}{key}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _milliseconds(ttl: Length | None) -> int | None:
    if ttl is None:
        return None
    if isinstance(ttl, str):
        return int(Duration(ttl))
    seconds = ttl.total_seconds() if isinstance(ttl, dt.timedelta) else ttl
    if not math.isfinite(seconds):
        raise ValueError("ttl is no length of time")
    return round(min(max(seconds * 1000, 0), LATEST))


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
