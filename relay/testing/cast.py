"""Who is who in a plugin's test: people and chats by names, and the ids behind them."""

from __future__ import annotations

from collections.abc import Callable

from relay.config import Chats
from relay.config.chats import is_chat_id

ACCOUNT = "1688850000000001"
SENDER = "7881300000000001"
ROOM = "R:10950000000000001"
"""Who hears it, who says it and where, unless the test says otherwise."""

_FIRST = 7881399900000000


class Cast:
    """Gives an id to whoever is called by a name, the same one each time."""

    def __init__(self, chats: Callable[[], Chats]) -> None:
        self._chats = chats
        self._people: dict[str, str] = {}

    def person(self, who: str) -> str:
        """The id of somebody: by a name in [chats], an id, or any other name that the test makes up."""
        if who in self._chats().names:
            return self._single(who)
        if is_chat_id(who):
            return who
        return self._people.setdefault(who, str(_FIRST + len(self._people) + 1))

    def chat(self, where: str) -> str:
        """The id of a chat: by a name in [chats] that stands for one alone, or as it is."""
        if where in self._people:
            return self._people[where]
        return self._single(where)

    def is_new(self, who: str) -> bool:
        """Whether this is a name that the test makes up here."""
        return who not in self._people and who not in self._chats().names and not is_chat_id(who)

    def _single(self, name: str) -> str:
        wxids = self._chats().resolve(name)
        if len(wxids) != 1:
            raise ValueError(f"{name} stands for {len(wxids)} chats; say which: {', '.join(wxids)}")
        return wxids[0]
