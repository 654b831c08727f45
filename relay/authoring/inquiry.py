"""What the bot knows of itself, for a plugin to tell people; nothing changes by asking."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from relay.store.protocol import Store

Told = Mapping[str, Any]

_OURS = re.compile("m?([0-9]{1,18})", re.IGNORECASE)


class Inquiry:
    """`ctx.bot`: questions to the live bot, answered as the commands answer them with `--json`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def status(self) -> Told:
        """How much waits, and how many deliveries stand in each state: `{"inbox": …, "deliveries": …}`."""
        return await self._store.counts()

    async def messages(self, chat: str, limit: int = 10) -> Sequence[Told]:
        """The last messages of a chat (its wxid), newest first, as `relay messages` tells them."""
        return await self._store.messages(chats=[chat], limit=max(1, min(limit, 1000)))

    async def explain(self, id: str) -> Told | None:  # noqa: A002 - the word that messages have for it
        """A message with its `trace` and `deliveries`, by our id; None where there is no such one."""
        ours = _OURS.fullmatch(id.strip())
        message = await self._store.message(int(ours[1])) if ours else None
        if ours is None or message is None:
            return None
        number = int(ours[1])
        deliveries = await self._store.deliveries(message=number)
        return message | {"trace": await self._store.trace(number), "deliveries": deliveries[::-1]}
