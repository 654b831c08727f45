"""What a plugin remembers, as a mapping that a test reads and writes."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from relay.clock import Clock
from relay.testing.disk import Disk


class Memory(MutableMapping[str, Any]):
    """The state of one plugin as it is on disk, without what is over; values are what JSON can say."""

    def __init__(self, disk: Disk, clock: Clock, plugin: str) -> None:
        self._disk = disk
        self._clock = clock
        self._plugin = plugin

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401, RUF100 - any JSON value
        return self._all()[key]

    def __setitem__(self, key: str, value: Any) -> None:  # noqa: ANN401, RUF100 - any JSON value
        self._disk.remember(self._plugin, key, value)

    def __delitem__(self, key: str) -> None:
        del self._all()[key]  # a KeyError where there is none
        self._disk.forget(self._plugin, key)

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
        return self._disk.remembered(self._plugin, self._clock.now())
