"""Who is who at the platform: which accounts are ours, and what people and chats are called."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from relay.clock import Clock
from relay.receiving.sources import LISTED, PlatformList, read_networks
from relay.sending.attempts import CONFIGURATION_CODES, THROTTLE_CODE, TOKEN_CODES, NoAnswer
from relay.sending.client import Client
from relay.store.protocol import Store
from relay.wire.answers import Answer, read_pages, read_records, read_strings
from relay.wire.entries import ROOM_PREFIX

log = structlog.get_logger("relay.directory")

PAGE_SIZE = 100  # the platform's most
MOST_PAGES = 100
REFRESH = 3_600_000  # ms between two listings of our accounts, or of the platform's servers
RETRY = 10_000  # ms after anything that failed
LONGEST_RETRY = 600_000  # ms, where it keeps failing
NEVER = 2**63
NAMES_EVERY = 2_000  # ms between two looks whether names are missing
CALL_COSTS = 400  # ms of rest for every call: 150 a minute, of the 500 granted to all but sending
NAMES_FRESH = 86_400_000  # ms after which a name is asked for again
CALLS_A_ROUND = 5  # after so many a round ends
ROOMS_A_ROUND = 500  # of the configuration, looked up in the store
REFUSED_FOR = 600_000  # ms after which the platform is asked again for a name that it refused to tell
LATER = CONFIGURATION_CODES | TOKEN_CODES | {THROTTLE_CODE}  # about us, and not about whom we ask for

Record = dict[str, str]


class Directory:
    """Asks the platform beside everything else: no message ever waits for a name."""

    def __init__(
        self,
        client: Client,
        store: Store,
        clock: Clock,
        chats: Iterable[str] = (),
        *,
        addresses: bool = False,
    ) -> None:
        """`addresses` asks where callbacks come from, too; rooms of `chats` are named at once."""
        self._client = client
        self._store = store
        self._clock = clock
        self._accounts_at = 0
        self._names_at = 0
        self._addresses_at = 0 if addresses else NEVER
        self._addresses_refused = 0  #: times in a row
        self._calls = 0
        self._refused: dict[str, int] = {}  #: by id, when to ask again
        self._expected = [chat for chat in chats if chat.startswith(ROOM_PREFIX)]  #: rooms to ask about

    def due(self) -> bool:
        """Whether there is something to ask."""
        return self._clock.now() >= min(self._accounts_at, self._names_at, self._addresses_at)

    async def refresh(self) -> None:
        """List our accounts when it is time, then ask for some of the names that are missing."""
        now = self._clock.now()
        if now >= self._accounts_at:
            self._accounts_at = now + RETRY
            await self._refresh_accounts(now)
        if now >= self._addresses_at:
            await self._refresh_addresses(now)
        if now < self._names_at:
            return
        self._calls = 0
        self._names_at = now + NAMES_EVERY
        answered = await self._refresh_names()
        self._names_at = now + (max(NAMES_EVERY, self._calls * CALL_COSTS) if answered else RETRY)

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

    # -- where callbacks come from ---------------------------------------------

    async def _refresh_addresses(self, now: int) -> None:
        """A list with nothing usable in it never takes the place of one that is known."""
        self._addresses_at = now + min(RETRY << min(self._addresses_refused, 10), LONGEST_RETRY)
        answer = await self._client.get("/index/serverIpList", {})
        answered = isinstance(answer, Answer) and answer.errcode == 0
        networks, strange = read_networks(read_strings(answer)) if isinstance(answer, Answer) else ([], 0)
        if strange:
            log.warning("platform_ips_strange", count=strange)
        if not answered or not networks:
            self._addresses_refused += 1
            log.warning("platform_ips_not_listed", error="the list is empty" if answered else "no answer")
            return
        listed = PlatformList(tuple(networks), now)
        await self._store.set_meta(LISTED, listed.written())
        self._addresses_at, self._addresses_refused = now + REFRESH, 0
        log.info("platform_ips_listed", count=len(networks))

    # -- names -----------------------------------------------------------------

    async def _refresh_names(self) -> bool:
        """One round; false where the platform does not answer, and a longer rest is due."""
        now = self._clock.now()
        self._refused = {wxid: until for wxid, until in self._refused.items() if until > now}
        limit = CALLS_A_ROUND + len(self._refused)
        for room, _ in await self._store.unnamed_rooms(NAMES_FRESH, limit):
            if self._may_ask(room) and not await self._name(room, "/wechat/roomDetail", {"wxid": room}):
                return False
        asked: set[str] = set()
        for sender, chat, chat_type, account in await self._store.unnamed_senders(NAMES_FRESH, limit):
            if sender in asked or not self._may_ask(sender):
                continue
            if chat_type == "room" and chat not in self._refused:
                named = await self._name_members(chat)
                if named is None:
                    return False
                asked |= named
            query = {"rel_wxid": account, "wxid": sender}
            if sender not in asked and not await self._name(sender, "/wechat/contactDetail", query):
                return False
        return await self._expect()

    async def _expect(self) -> bool:
        """Names for rooms where nobody spoke yet: the first who does is greeted by name, and not by an id."""
        first = self._expected[:ROOMS_A_ROUND]
        known = await self._store.names(first) if first else {}
        self._expected[:ROOMS_A_ROUND] = [room for room in first if room not in known]
        while self._expected and self._calls < CALLS_A_ROUND:
            room = self._expected[0]
            if await self._name_members(room) is None:
                return False
            if not await self._name(room, "/wechat/roomDetail", {"wxid": room}):
                return False
            del self._expected[0]
        return True

    def _may_ask(self, wxid: str) -> bool:
        return wxid not in self._refused and self._calls < CALLS_A_ROUND

    async def _name(self, wxid: str, path: str, query: Record) -> bool:
        """Ask for one name; false where the platform does not answer."""
        records = await self._ask(wxid, path, query)
        if records:
            await self._store.write_names([(wxid, records[0].get("nickname", ""))])
        return records is not None

    async def _name_members(self, room: str) -> set[str] | None:
        """Everybody in a room at once: a name for one stranger there costs as much as for all."""
        records = await self._list("/wechat/roomMembers", {"room_wxid": room}, room)
        if records is None:
            return None
        await self._store.write_names(_named(records))
        return {record["wxid"] for record in records if record.get("wxid")}

    # -- calls -----------------------------------------------------------------

    async def _list(self, path: str, query: Record, about: str = "") -> list[Record] | None:
        """Every page of a list, or None where a page could not be read: half a list is none."""
        found: list[Record] = []
        for page in range(1, MOST_PAGES + 1):
            self._calls += 1
            paged = {**query, "page": str(page), "page_size": str(PAGE_SIZE)}
            answer = await self._client.get(path, paged)
            if isinstance(answer, NoAnswer) or answer.errcode != 0:
                return self._unanswered(answer, about)
            records = read_records(answer)
            found += records
            if len(records) < PAGE_SIZE and page >= read_pages(answer):
                break
        return found

    async def _ask(self, wxid: str, path: str, query: Record) -> list[Record] | None:
        """One record in a list; none where the platform refuses to tell, None where it does not answer."""
        self._calls += 1
        answer = await self._client.get(path, query)
        if isinstance(answer, NoAnswer) or answer.errcode != 0:
            return self._unanswered(answer, wxid)
        return list(read_records(answer))

    def _unanswered(self, answer: Answer | NoAnswer, about: str) -> list[Record] | None:
        """None where a rest may help; otherwise one refusal, which holds up nobody else's name."""
        if isinstance(answer, NoAnswer) or answer.errcode is None or answer.errcode in LATER or not about:
            return None
        self._refused[about] = self._clock.now() + REFUSED_FOR
        return []


def _named(records: Iterable[Record]) -> list[tuple[str, str]]:
    return [(record["wxid"], record.get("nickname", "")) for record in records if record.get("wxid")]
