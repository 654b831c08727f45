"""What a store must do. Every backend keeps the same promises and passes the same suite.

A call that writes is one transaction, and outlives the process when it returns. It outlives a power cut too,
but for what would be decided or learnt again without harm: identify, claim, finish, record_results, settle,
names and beats do so once any other commit has followed, such as the intent before a byte goes out.
Times are milliseconds since 1970, from the store's own clock. Raises `StorageError` where the disk refuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from relay.store.journal import Mark
from relay.store.occasions import Occasions
from relay.store.past import Kept, Outdated, Place, Removal
from relay.store.values import (
    Aside,
    Callback,
    Conclusion,
    Damaged,
    Delivery,
    Doubled,
    Figures,
    Gap,
    Identified,
    Intent,
    NewDelivery,
    Operated,
    Pause,
    Repair,
    Result,
    Routing,
    Settled,
    Signal,
    Span,
    StoredMessage,
    Tracked,
    Turn,
    Unknown,
    Verdict,
    Wanted,
)
from relay.wire.entries import Entry
from relay.wire.notifications import Reading

Row = dict[str, object]

TAKEN_IN = "taken_in"
"""In a receiver's note: whatever it received before that time is in the store."""


class Store(Protocol):
    """The inbox, the outbox, and everything that tells why."""

    @property
    def origin(self) -> str:
        """The random mark of this database: what carries another one is not of it."""

    @property
    def occasions(self) -> Occasions:
        """What is handled beside messages, and conversations."""

    async def ingest(
        self,
        entries: Sequence[Entry],
        accounts: Sequence[str] = (),
        damaged: Sequence[tuple[str, bytes]] = (),
        received_at: int | None = None,
    ) -> int:
        """Keep what a callback brought before it is answered; returns how many entries were not known before.

        It came now, or at `received_at`. `accounts` were named by it, and are ours for good. What could not
        be read is kept, each part with its reason, bounded, for diagnosis.
        """

    async def damaged(self, limit: int) -> list[Damaged]:
        """What could not be read, newest first."""

    async def take_in(self, damaged: int, reading: Reading) -> int:
        """Put what a kept body brought in its place, as received when it was; how many entries are new."""

    async def ingest_journal(self, callbacks: Sequence[Callback], mark: Mark) -> None:
        """Keep what callbacks of a journal brought, and how far it was read, both or neither."""

    async def marks(self) -> dict[str, Mark]:
        """How far every journal was read, by its name."""

    async def inherit(self, heir: str, others: Sequence[str]) -> None:
        """Let a journal have the large bodies of all journals but these others, and forget these."""

    async def put_aside(self, body: bytes, received_at: int, mark: Mark, reader: str) -> int:
        """Keep the bytes of a large callback until whoever has that journal has read it; its number."""

    async def take_aside(self, journal: str) -> Aside | None:
        """The oldest of these that its reader has, whose reading begins once more."""

    async def keep_part(self, number: int, part: Callback, parts: int) -> None:
        """Keep a part of one, and that it is the so-manieth, both or neither."""

    async def drop_aside(self, number: int) -> None:
        """Forget one that has been read."""

    async def add_accounts(self, wxids: Sequence[str], source: str) -> None:
        """Remember accounts as ours for good; source `configured`, `listed` or `callback`."""

    async def identify(
        self, limit: int, remember: int, *, include_own: bool = False
    ) -> tuple[list[Identified], int]:
        """Guard the oldest new messages; those to be routed, and how many were looked at."""

    async def waiting(self) -> list[Identified]:
        """What was let through by an earlier router and waits still, in the order received."""

    async def claim(self, ids: Sequence[int]) -> list[StoredMessage]:
        """Count an attempt for each message and return those that still wait."""

    async def give_back(self, ids: Sequence[int]) -> None:
        """Take back the attempt of messages that a router leaves unfinished, in good order."""

    async def turn(self, message: int) -> Turn | None:
        """Who acts on a room message; None when it waits no more."""

    async def finish(self, routed: Routing, expire_after: int) -> bool:
        """Store state, trace and deliveries at once; false when it or a copy was finished before."""

    async def state(self, plugin: str, key: str) -> tuple[str, int | None] | None:
        """What a plugin remembers under a key, as JSON, and until when."""

    async def names(self, wxids: Sequence[str]) -> dict[str, str]:
        """The names that are known, of those asked for."""

    async def write_names(self, named: Sequence[tuple[str, str]]) -> None:
        """Keep names; "" keeps that the platform knows none."""

    async def unnamed_rooms(self, fresh_for: int, limit: int) -> list[tuple[str, str]]:
        """Rooms without a name that is fresh, each with an account of ours in it."""

    async def unnamed_senders(self, fresh_for: int, limit: int) -> list[tuple[str, str, str, str]]:
        """Who spoke lately and has no fresh name: sender, chat, kind of chat, account."""

    async def begin_sending(self, resolve_within: int) -> int:
        """Become the one sender and return the epoch; what was on its way is unknown from here."""

    async def due(self, depth: int) -> list[list[Delivery]]:
        """For each (account, target), up to `depth` deliveries that may go out next, in line."""

    async def record_intent(self, deliveries: Sequence[Delivery], epoch: int) -> list[Intent]:
        """Put the next attempts on record; `StorageError` when another sender has taken over."""

    async def record_results(self, results: Sequence[Result]) -> None:
        """Write how attempts ended, unless something else moved the delivery meanwhile."""

    async def settle_due(self) -> list[Settled]:
        """Take the steps that time alone decides; those to held, failed and expired come back."""

    async def recent_starts(self, since: int) -> list[tuple[str, int]]:
        """Account and time of every attempt since then."""

    async def pauses(self) -> list[Pause]:
        """What holds accounts up, past pauses included."""

    async def set_pause(self, pause: Pause) -> None:
        """Hold an account up, across restarts; step 0 lets it go."""

    async def signals(self, after: tuple[int, int], limit: int) -> list[Signal]:
        """Own messages and failure events beyond those two ids that nobody has judged."""

    async def by_api_send_id(self, delivery: int, number: int, account: str) -> Tracked | None:
        """The delivery that an api_send_id names."""

    async def by_api_send_svrid(self, api_send_svrid: str, account: str) -> Tracked | None:
        """The delivery whose answer named that id."""

    async def forwards_without_echo(self, signal: Signal, window: int) -> list[Tracked]:
        """Forwards to the signal's chat, of its type, that did not come back yet."""

    async def settle(self, verdicts: Sequence[Verdict], confirm_after: int) -> list[Doubled]:
        """Apply what signals mean, each only where its delivery stands as it was judged; what is doubled."""

    async def unresolved(self, limit: int) -> list[Unknown]:
        """Deliveries of unknown outcome whose echo was waited for long enough, the oldest attempts first."""

    async def recover(self, entries: Sequence[Entry]) -> int:
        """Keep messages that the platform's log told and no callback did, marked late; how many are new."""

    async def heard(self, account: str, since: int, after: int) -> bool:
        """Whether callbacks were listened to all the time `since`, and one of this account came `after`."""

    async def may_be_there(self, unknown: Unknown) -> bool:
        """Whether the same was said there by our account, and cannot be told from what the attempt sent."""

    async def conclude(self, concluded: Sequence[Conclusion]) -> list[Settled]:
        """Take the steps that follow for unknown deliveries, each only where its attempt is unknown still."""

    async def echo_p99(self) -> int | None:
        """The milliseconds within which 99 of 100 echoes came lately; None where there were too few."""

    async def note_gap(self, begins: int, ends: int) -> None:
        """Remember a time in which nobody may have listened; silence in it confirms nothing."""

    async def open_gap(self, before: int) -> Gap | None:
        """The first gap that ended before a time, and whose chats are not listed yet."""

    async def begin_repair(self, gap: Gap) -> int:
        """List the chats that were known before a gap, to be fetched; how many."""

    async def repairs(self, limit: int) -> list[Repair]:
        """The chats to fetch next, those first where somebody spoke last."""

    async def postpone(self, repair: Repair) -> None:
        """Let every other chat be fetched first."""

    async def ask_others(self, repair: Repair) -> None:
        """Have a room fetched by others of ours who heard it, where it was its acting account's turn."""

    async def repaired_until(self, repair: Repair, after: str) -> None:
        """A chat has been fetched as far as the message with this svrid."""

    async def repaired(self, repair: Repair) -> int:
        """A chat has been fetched; how many are left."""

    async def shift(self, by: int, within: int = 1_000) -> None:
        """The clock was set: what was to happen at a time happens when as much time has passed.

        `within`: so many milliseconds ago, at the most, it was set.
        """

    async def heed_clock(self) -> int:
        """The same for a clock that was set while no sender was there to see it; by how much that was."""

    async def retry(self, deliveries: Sequence[int], expire_after: int) -> list[Operated]:
        """Put held, failed and expired deliveries last in line, with attempts and expiry anew."""

    async def discard(self, deliveries: Sequence[int]) -> list[Operated]:
        """Drop deliveries that are held, failed, expired or queued."""

    async def meta(self, key: str) -> str | None:
        """One of the few facts about the database itself, such as `origin`."""

    async def set_meta(self, key: str, value: str) -> None:
        """Write such a fact."""

    async def accounts(self) -> list[str]:
        """Our own accounts, as far as known."""

    def version(self) -> int:
        """A number that differs after every commit by anybody."""

    async def beat(self, role: str, pid: int, note: Mapping[str, object]) -> None:
        """Report a role alive, with what it says of itself; receivers tell so that somebody listens.

        And, as `TAKEN_IN`, up to when whatever they received is here.
        """

    async def leave(self, role: str, pid: int) -> None:
        """Take a role that ends in order off the list."""

    async def processes(self, stale_before: int) -> list[Row]:
        """The roles that reported themselves; silent since `stale_before` means not alive."""

    async def messages(self, *, chats: Sequence[str] = (), since: int = 0, limit: int = 50) -> list[Row]:
        """Received messages, newest first, in the contract's shape."""

    async def message(self, number: int) -> Row | None:
        """One received message, in the contract's shape."""

    async def numbered(self, svrid: str) -> list[int]:
        """The messages with this svrid, which is unique only within an account; first those acted on."""

    async def trace(self, message: int) -> list[Row]:
        """What each plugin and rule decided about a message, in order."""

    async def requests(self, deliveries: Sequence[int]) -> dict[str, list[Row]]:
        """Every request for these deliveries, by delivery: how it ended, and whether it came back."""

    async def circumstances(self, number: int) -> Row:
        """What a message has to do with others: its copies, what it is an echo of, how many go before it."""

    async def cause(self, delivery: int) -> tuple[int | None, int | None]:
        """The message or the occasion that a delivery comes of; neither where there is none."""

    async def gone(self, word: str) -> bool:
        """Whether there was a message of this number or svrid, which may have been removed."""

    async def kept(self, number: int) -> StoredMessage | None:
        """A message as it was received, whatever became of it."""

    async def acting(self, chat: str) -> str | None:
        """The account of ours that acts in a room, or was the last to hear a chat."""

    async def body(self, number: int) -> Damaged | None:
        """What could not be read under this number, while it is kept."""

    async def had_body(self, number: int) -> bool:
        """Whether anything that could not be read ever had this number."""

    async def unmet(self, anybody: Sequence[str], accounts: Sequence[str]) -> tuple[set[str], set[str]]:
        """Of these chats and people those that nobody of ours has met, and which accounts are not ours.

        Nobody at all where nothing was ever heard.
        """

    async def acquaintances(self) -> dict[str, str]:
        """Chats, people and accounts that are known, with their names, "" for none."""

    async def deliveries(
        self,
        *,
        states: Sequence[str] = (),
        chats: Sequence[str] = (),
        message: int | None = None,
        occasion: int | None = None,
        limit: int = 50,
    ) -> list[Row]:
        """Deliveries, newest first, in the contract's shape; all, or those of one cause."""

    async def counts(self) -> Row:
        """What waits, and how many deliveries stand in each state."""

    async def figures(self) -> Figures:
        """Ages and sizes, at the same cost however much is kept."""

    async def count(self, name: str, times: int) -> None:
        """Add to a counter that outlives the process."""

    async def counters(self) -> dict[str, int]:
        """Every counter that outlives a process."""

    async def span(self, wanted: Wanted) -> Span:
        """How many messages are wanted, and between which ids they are."""

    async def stretch(
        self, wanted: Wanted, span: Span, after: int, limit: int
    ) -> tuple[list[StoredMessage], int]:
        """The next of these messages, in the order received, and behind which id there are more; 0: none."""

    async def decided(self, messages: Sequence[int]) -> dict[int, list[NewDelivery]]:
        """What was decided about these messages when they came."""

    async def observed(self) -> list[Row]:
        """For each plugin and rule that only observes, how often in the last day it would have acted."""

    async def outdated(self, kept: Kept, after: Place | None, before: int, limit: int) -> Outdated:
        """Of the next `limit` rows behind a place, those from before a time that nothing needs any more."""

    async def remove(self, kept: Kept, keys: Sequence[Place], before: int) -> Removal:
        """Remove those of them that still may go, with all that belongs to them alone."""

    async def spare_pages(self) -> int:
        """How much room could be given back to the disk, in pages."""

    async def shrink(self, pages: int) -> float:
        """Give so many pages back; how many seconds others could not write meanwhile."""

    async def shorten_log(self) -> bool:
        """Keep what was written lately from growing without bounds; false where readers prevent it."""

    def close(self) -> None:
        """Finish what was asked for and let go."""
