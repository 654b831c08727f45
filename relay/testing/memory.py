"""What a plugin remembers, as a mapping that a test reads and writes."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from relay.authoring.state import MARK
from relay.clock import Clock
from relay.testing.cast import Cast
from relay.testing.disk import Disk


class Memory(MutableMapping[str, Any]):
    """The state of one plugin as it is on disk, without what is over; values are what JSON can say."""

    def __init__(self, disk: Disk, clock: Clock, cast: Cast, plugin: str, scope: str = "") -> None:
        self._disk = disk
        self._clock = clock
        self._cast = cast
        self._plugin = plugin
        self._scope = scope

    def of(self, *, chat: str = "", sender: str = "") -> Memory:
        """What it remembers of a chat, a person, or one in the other: by the names that the test uses."""
        where = self._cast.chat(chat) if chat else ""
        who = self._cast.person(sender) if sender else ""
        scope = f"{MARK}{where}{MARK}{who}{MARK}"
        return Memory(self._disk, self._clock, self._cast, self._plugin, scope)

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401, RUF100 - any JSON value
        return self._all()[key]

    def __setitem__(self, key: str, value: Any) -> None:  # noqa: ANN401, RUF100 - any JSON value
        self._disk.remember(self._plugin, self._scope + key, value)

    def __delitem__(self, key: str) -> None:
        del self._all()[key]  # a KeyError where there is none
        self._disk.forget(self._plugin, self._scope + key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return repr(self._all())

    def __eq__(self, other: object) -> bool:
        return self._all() == (dict(other) if isinstance(other, Memory) else other)

    __hash__ = None  # type: ignore[assignment] # it changes

    def _all(self) -> dict[str, Any]:
        stored = self._disk.remembered(self._plugin, self._clock.now()).items()
        if not self._scope:
            return {key: value for key, value in stored if not key.startswith(MARK)}
        length = len(self._scope)
        return {key[length:]: value for key, value in stored if key.startswith(self._scope)}
