"""What the store refuses a handler is not the handler's fault: the message is tried again, as for any."""

from __future__ import annotations

from collections import Counter

from relay.errors import StorageError
from relay.store.protocol import Store

MOST = 10  # times that the store may refuse what one message's handlers ask for while it obeys others


class Refusals:
    """Of handlers that are called for messages, and for what else plugins are called for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._times: Counter[int] = Counter()

    async def of(self, number: int, exc: BaseException) -> StorageError | None:
        """Why to try again what a handler failed at; None where it is the handler itself that failed.

        That it is, too, where it alone is refused time and again: what it asks for is the reason then.
        """
        found = refusal(exc)
        if found is not None:
            self._times.setdefault(number, 0)
        if found is not None and await self._obeys():
            self._times[number] += 1
            if self._times[number] >= MOST:
                return None
        return found

    async def ready(self, number: int) -> None:
        """Raise `StorageError` while the store still refuses: nobody is called once more in vain."""
        if number in self._times:
            await self._store.meta("origin")

    def over(self, number: int) -> None:
        """That message needs no further try."""
        if self._times:
            self._times.pop(number, None)

    async def _obeys(self) -> bool:
        try:
            await self._store.meta("origin")
        except StorageError:
            return False
        return True


def refusal(exc: BaseException) -> StorageError | None:
    """What the store refused, if that is what an error is, or came of."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [exc]
    while todo:
        each = todo.pop()
        if each is None or id(each) in seen:
            continue
        if isinstance(each, StorageError):
            return each
        seen.add(id(each))
        todo += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            todo += each.exceptions
    return None
