"""Who is who at the platform: which accounts are ours, and what people and chats are called."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from relay.attempts import NoAnswer
from relay.client import Client
from relay.clock import Clock
from relay.store.protocol import Store
from relay.wire.answers import read_pages, read_records

log = structlog.get_logger("relay.directory")

PAGE_SIZE = 100  # the platform's most
MOST_PAGES = 100
REFRESH = 3_600_000  # ms between two listings of our accounts
RETRY = 10_000  # ms after anything that failed
NAMES_EVERY = 2_000  # ms between two rounds of asking for names
NAMES_FRESH = 86_400_000  # ms after which a name is asked for again
CALLS_A_ROUND = 5  # so 150 a minute, of the 500 that the platform grants to everything else than sending

Record = dict[str, str]


class Directory:
    """Asks the platform beside everything else: no message ever waits for a name."""

    def __init__(self, client: Client, store: Store, clock: Clock) -> None:
        self._client = client
        self._store = store
        self._clock = clock
        self._accounts_at = 0
        self._names_at = 0

    def due(self) -> bool:
        """Whether there is something to ask."""
        return self._clock.now() >= min(self._accounts_at, self._names_at)

    async def refresh(self) -> None:
        """List our accounts when it is time, then ask for some of the names that are missing."""
        now = self._clock.now()
        if now >= self._accounts_at:
            self._accounts_at = now + RETRY
            await self._refresh_accounts(now)
        self._names_at = now + NAMES_EVERY
        if not await self._refresh_names():
            self._names_at = now + RETRY

    # -- accounts --------------------------------------------------------------

    async def _refresh_accounts(self, now: int) -> None:
        records = await self._list("/wechat/list", {"online": "-1"})
        accounts = [record["wxid"] for record in records or () if record.get("wxid")]
        if not accounts:  # an empty list tells us no more than none: nothing may be routed on it
            log.warning("accounts_not_listed", error="no answer" if records is None else "the list is empty")
            return
        await self._store.add_accounts(accounts, "listed")
        await self._store.write_names(_named(records or ()))
        await self._store.set_meta("accounts_listed_at", str(now))
        self._accounts_at = now + REFRESH
        log.info("accounts_listed", count=len(accounts))

    # -- names -----------------------------------------------------------------

    async def _refresh_names(self) -> bool:
        """One round; false where the platform does not answer, and a longer rest is due."""
        rooms = await self._store.unnamed_rooms(NAMES_FRESH, CALLS_A_ROUND)
        for room, _ in rooms:
            if not await self._name_room(room):
                return False
        asked: set[str] = set()
        senders = await self._store.unnamed_senders(NAMES_FRESH, CALLS_A_ROUND - len(rooms))
        for sender, chat, chat_type, account in senders:
            if sender in asked:
                continue
            in_room = chat_type == "room"
            named = await (self._name_members(chat) if in_room else self._name_contact(sender, account))
            if named is None:
                return False
            asked |= named
            if sender not in named and not await self._name_contact(sender, account):
                return False
        return True

    async def _name_room(self, room: str) -> bool:
        records = await self._ask("/wechat/roomDetail", {"wxid": room})
        if records is None:
            return False
        await self._store.write_names([(room, records[0].get("nickname", "") if records else "")])
        return True

    async def _name_members(self, room: str) -> set[str] | None:
        """Everybody in a room at once: a name for one stranger there costs as much as for all."""
        records = await self._list("/wechat/roomMembers", {"room_wxid": room})
        if records is None:
            return None
        await self._store.write_names(_named(records))
        return {record["wxid"] for record in records if record.get("wxid")}

    async def _name_contact(self, contact: str, account: str) -> set[str] | None:
        records = await self._ask("/wechat/contactDetail", {"rel_wxid": account, "wxid": contact})
        if records is None:
            return None
        await self._store.write_names([(contact, records[0].get("nickname", "") if records else "")])
        return {contact}

    # -- calls -----------------------------------------------------------------

    async def _list(self, path: str, query: Record) -> list[Record] | None:
        """Every page of a list, or None where a page could not be read: half a list is none."""
        found: list[Record] = []
        for page in range(1, MOST_PAGES + 1):
            paged = {**query, "page": str(page), "page_size": str(PAGE_SIZE)}
            answer = await self._client.get(path, paged)
            if isinstance(answer, NoAnswer) or answer.errcode != 0:
                return None
            records = read_records(answer)
            found += records
            if len(records) < PAGE_SIZE and page >= read_pages(answer):
                break
        return found

    async def _ask(self, path: str, query: Record) -> list[Record] | None:
        """One record in a list; none where the platform refuses to tell, None where it does not answer."""
        answer = await self._client.get(path, query)
        if isinstance(answer, NoAnswer) or answer.errcode is None:
            return None
        if answer.errcode == 0:
            return list(read_records(answer))
        return [] if answer.errcode in (405, 406) else None


def _named(records: Iterable[Record]) -> list[tuple[str, str]]:
    return [(record["wxid"], record.get("nickname", "")) for record in records if record.get("wxid")]
