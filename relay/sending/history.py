"""The platform's log of a chat: the one place that still knows what nobody heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec
import structlog

from relay.clock import Clock
from relay.sending.attempts import CONFIGURATION_CODES, TOKEN_CODES, NoAnswer, classify
from relay.sending.budget import Budget
from relay.sending.client import Client
from relay.store.protocol import Store
from relay.store.states import AttemptOutcome
from relay.wire.answers import Answer, list_of, read_pages
from relay.wire.entries import Entry
from relay.wire.notifications import CHAT_MSG, read_entries

log = structlog.get_logger("relay.history")

PAGE_SIZE = 100  # the platform's most
MOST_PAGES = 50
TOGETHER = 64  # messages in one transaction: so long others wait for the lock
OLDER, NEWER = "1", "2"  # what `direction` means
RESTS = (10_000, 20_000, 40_000, 60_000)  # ms after the platform did not answer, or told us to slow down


class Word(StrEnum):
    """What came of asking."""

    TOLD = "told"  #: the log was read as far as it was asked for
    REFUSED = "refused"  #: it will never tell of this chat
    SILENT = "silent"  #: it may tell later


@dataclass(frozen=True, slots=True)
class Pulled:
    """What the log said; `reaches` is the time of the last thing in it, by the platform's clock.

    `goes_on` is the svrid behind which there is more of it than is read at once.
    """

    word: Word
    reaches: int = 0
    recovered: int = 0
    goes_on: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: one chat, `after` an svrid where one is known, and otherwise back to `since`.

    What others said later than `until` is left to the callbacks that are on their way with it.
    """

    account: str
    chat: str
    after: str
    since: int
    until: int


class History:
    """Asks the log, and puts whatever it tells and nobody has heard where callbacks put it."""

    def __init__(self, client: Client, store: Store, clock: Clock) -> None:
        self._client = client
        self._store = store
        self._clock = clock
        self._rests_until = 0
        self._rests = 0  #: in a row

    def rests(self) -> bool:
        """Whether the platform is left alone for now: this holds up no send."""
        return self._clock.steady() < self._rests_until

    def ahead(self) -> int:
        """Milliseconds by which its times are ahead of ours."""
        return self._client.platform.ahead()

    async def pull(self, wanted: Wanted, budget: Budget) -> Pulled:
        """Read the log of one chat, and keep what is new in it."""
        read = await self._read(wanted, wanted.after, budget)
        if read is Word.REFUSED and wanted.after:  # it may have forgotten the message to begin after
            read = await self._read(wanted, "", budget)
        if isinstance(read, Word):
            return Pulled(read)
        found, goes_on = read
        new = [each for each in found if _own(each) or each.time <= wanted.until]
        recovered = 0
        for at in range(0, len(new), TOGETHER):
            recovered += await self._store.recover(new[at : at + TOGETHER])
        if recovered:
            log.info("messages_recovered", account=wanted.account, chat=wanted.chat, count=recovered)
        return Pulled(Word.TOLD, max((each.time for each in found), default=0), recovered, goes_on)

    async def _read(self, wanted: Wanted, after: str, budget: Budget) -> tuple[list[Entry], str] | Word:
        """What was said since, oldest first, and the svrid behind which it goes on, if it does."""
        query = {"wxid": wanted.account, "chat_wxid": wanted.chat, "direction": NEWER if after else OLDER}
        if after:
            query["svrid"] = after
        found: list[Entry] = []
        goes_on = ""
        for page in range(1, MOST_PAGES + 1):
            budget.use(self._clock.steady())
            answer = await self._client.get("/wechat/chatLogs", _paged(query, page))
            if not isinstance(answer, Answer) or answer.errcode != 0:
                return self._unanswered(answer)
            entries = read_entries(CHAT_MSG, "", list_of(answer)).entries
            found += _of_chat(entries, wanted)
            ends = len(entries) < PAGE_SIZE and page >= read_pages(answer)
            goes_on = entries[-1].svrid if entries and after and not ends else ""
            if ends or not entries or (not after and entries[-1].time < wanted.since):
                break
        self._rests = 0
        return (sorted(found, key=_time) if after else _since(found, wanted.since)), goes_on

    def _unanswered(self, answer: Answer | NoAnswer) -> Word:
        ending = classify(answer)
        about_us = ending.code in CONFIGURATION_CODES | TOKEN_CODES
        if ending.outcome is AttemptOutcome.REFUSED and not about_us:
            return Word.REFUSED
        if self.rests():  # asked at the same time as what has told us already
            return Word.SILENT
        rest = RESTS[min(self._rests, len(RESTS) - 1)]
        self._rests += 1
        self._rests_until = self._clock.steady() + rest
        log.warning("log_not_told", error=(ending.error or "").partition(":")[0], seconds=rest // 1000)
        return Word.SILENT


def _paged(query: Mapping[str, str], page: int) -> dict[str, str]:
    return {**query, "page": str(page), "page_size": str(PAGE_SIZE)}


def _of_chat(read: Sequence[Entry], wanted: Wanted) -> list[Entry]:
    """What is of this chat as this account hears it, whatever else the platform tells."""
    told = (each if each.account else msgspec.structs.replace(each, account=wanted.account) for each in read)
    return [each for each in told if (each.account, each.chat) == (wanted.account, wanted.chat)]


def _since(newest_first: Sequence[Entry], since: int) -> list[Entry]:
    recent = [each for each in reversed(newest_first) if each.time >= since]
    return sorted(recent, key=_time)


def _time(entry: Entry) -> int:
    return entry.time


def _own(entry: Entry) -> bool:
    return entry.sender == entry.account or bool(entry.api_send_id or entry.api_send_svrid)
