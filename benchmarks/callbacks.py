"""Callback bodies by the thousand: numbered customer messages, as the platform would push them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from relay.simulator.entries import chat_entry, notification, text_content
from relay.wire.crypto import encrypt

CUSTOMER = "7881300000000001"
FIRST = 7_000_000_000_000_000_000  # svrids begin here; every callback's is its own


@dataclass(frozen=True, slots=True)
class Talk:
    """Who says what and where: texts and (account, chat) pairs, each taken in turn; `{n}` is the number.

    So many `echoes` follow on each message: the account of ours says the same there, as after a forward.
    """

    texts: Sequence[str]
    places: Sequence[tuple[str, str]]
    sender: str = CUSTOMER
    first: int = 0
    echoes: int = 0

    def plaintexts(self) -> Iterator[bytes]:
        """One notification after another, without end; `svrid` is FIRST + first + position."""
        places, texts = itertools.cycle(self.places), itertools.cycle(self.texts)
        numbers = itertools.count(self.first)
        for place, text in zip(places, texts, strict=True):
            yield self._notification(next(numbers), place, text, self.sender)
            for _ in range(self.echoes):
                yield self._notification(next(numbers), place, text, place[0])

    def _notification(self, number: int, place: tuple[str, str], text: str, sender: str) -> bytes:
        account, chat = place
        entry = chat_entry(
            svrid=str(FIRST + number),
            wx_svrid=str(FIRST + number),
            wx_msgid=str(number),
            client_id=f"client-{account}",
            account=account,
            chat=chat,
            is_room=chat.startswith("R:"),
            sender=sender,
            to=chat,
            msg_type="text",
            content=text_content(text.replace("{n}", str(number))),
            time=time.time_ns() // 1_000_000,
            api_ids={},
            in_extra=False,
        )
        return notification("chatMsg", account, entry)


def encrypted(talk: Talk, count: int, key: bytes) -> list[bytes]:
    """The first `count` bodies of a talk, ready to be pushed."""
    return [encrypt(each, key) for each in itertools.islice(talk.plaintexts(), count)]
