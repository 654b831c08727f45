"""The values that go into the store and come out of it; times are milliseconds since 1970."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from relay.store.states import AttemptOutcome, DeliveryKind, DeliveryState, Evidence, MessageState
from relay.wire.entries import Entry


@dataclass(frozen=True, slots=True)
class Callback:
    """What one callback brought `at` a time; `accounts` are ours from then on, `damaged` cannot be read."""

    entries: Sequence[Entry]
    accounts: Sequence[str]
    at: int
    damaged: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Aside:
    """A large callback whose reading was begun so often, and of which so many parts are kept."""

    id: int
    body: bytes
    received_at: int
    attempts: int
    parts: int


@dataclass(frozen=True, slots=True)
class Identified:
    """A new message that the guard let through: it waits for its turn in its conversation."""

    id: int
    account: str
    chat: str
    chat_type: str
    source: int
    received_at: int
    attempts: int = 0
    own: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a waiting room message stands: who acts in its room, and whether that account heard it too."""

    acting: str
    heard_by_acting: bool


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A received message as it was kept."""

    id: int
    account: str
    svrid: str
    chat: str
    chat_type: str
    sender: str
    type: str
    time: int
    raw: bytes
    received_at: int
    attempts: int
    own: bool
    late: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which received messages are to be rehearsed: those for plugins, of these chats (none: all), `since`.

    With `own` also those that our staff typed, which were skipped as own while nobody asked for them.
    """

    chats: tuple[str, ...] = ()
    since: int = 0
    own: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """So many messages lie between two ids, both included."""

    count: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Damaged:
    """A body, or a part of one, that could not be read, and which check it failed."""

    id: int
    reason: str
    body: bytes
    received_at: int


@dataclass(frozen=True, slots=True)
class TraceLine:
    """What one rule of one plugin decided about a message, and why."""

    plugin: str
    rule: str
    decision: str
    reason: str
    ms: float


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A decision about one target, ready for the outbox."""

    plugin: str
    rule: str
    ordinal: int
    kind: DeliveryKind
    account: str
    target: str
    body: bytes | None
    delay: int = 0
    after: int | None = None  #: the one in the same list that must be accepted first


@dataclass(frozen=True, slots=True)
class StateChange:
    """What a plugin is to remember: a value as JSON, None to forget the key, or `by` to add to a number."""

    plugin: str
    key: str
    value: str | None
    expires_at: int | None
    by: int | None = None


@dataclass(frozen=True, slots=True)
class Talk:
    """A change of a conversation: with a `handler` it begins, and replaces another one; without, it ends.

    `only` that one ends, by its number, if there is one given; without `ear`, at whichever account.
    """

    plugin: str
    chat: str
    sender: str
    ear: str | None = None
    account: str = ""
    handler: str = ""
    on_timeout: str = ""
    message: int | None = None
    delay: int = 0  #: ms after which the question is asked
    within: int = 0  #: ms that it waits from then on
    only: int | None = None


@dataclass(frozen=True, slots=True)
class Routing:
    """All that came of one message; stored in one transaction."""

    message: int
    state: MessageState
    reason: str | None = None
    trace: tuple[TraceLine, ...] = ()
    deliveries: tuple[NewDelivery, ...] = ()
    changes: tuple[StateChange, ...] = ()
    talks: tuple[Talk, ...] = ()
    would: tuple[tuple[str, str], ...] = ()  #: plugin and rule of those that only observe, and would act


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one target, as the sender needs it."""

    id: int
    message: int | None  #: None where it came of an occasion
    kind: DeliveryKind
    account: str
    target: str
    state: DeliveryState
    attempts: int
    spent: int
    solo: bool
    position: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Intent:
    """A delivery whose next attempt is on record: number, and what to put in the request."""

    delivery: Delivery
    number: int
    payload: bytes  #: forward: the received entry; send: the message


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended, and the step that its delivery takes by it."""

    delivery: int
    number: int
    outcome: AttemptOutcome
    state: DeliveryState
    error: str | None = None
    api_send_svrid: str | None = None
    spend: bool = True  #: whether the attempt counts against max_attempts
    retry_at: int = 0
    solo: bool = False
    settle_at: int | None = None
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """A delivery that time alone, or a refusal, brought to an end other than delivered."""

    delivery: int
    account: str
    target: str
    state: DeliveryState
    error: str | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A delivery whose last request was never answered and never came back.

    It took effect by `takes_effect`, if it ever did; `after` is the svrid of what was heard there before.
    """

    delivery: int
    number: int
    kind: DeliveryKind
    account: str
    target: str
    payload: bytes  #: forward: the received entry; send: the message
    doubtful: bool
    spent: int
    started_at: int
    takes_effect: int
    after: str


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What follows for an unknown delivery, and why; fenced on its attempt."""

    delivery: int
    number: int
    state: DeliveryState
    words: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which nobody listened."""

    id: int
    begins: int
    ends: int


@dataclass(frozen=True, slots=True)
class Repair:
    """A chat that is to be fetched because of a gap, from what was heard `after` which svrid on."""

    account: str
    chat: str
    after: str
    begins: int
    ends: int


@dataclass(frozen=True, slots=True)
class Doubled:
    """A delivery that took effect twice, and the messages in which it came back."""

    delivery: int
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Signal:
    """Something received that may settle a delivery: an own message or a failure event."""

    id: int
    failure: bool
    account: str
    chat: str
    type: str
    api_send_id: str
    api_send_svrid: str
    svrid: str
    raw: bytes
    received_at: int
    late: bool = False  #: found in the platform's log: no callback brought it


@dataclass(frozen=True, slots=True)
class Tracked:
    """A delivery as the judgement of a signal needs to see it."""

    id: int
    state: DeliveryState
    attempts: int
    evidence: Evidence | None
    spoken: bool
    echo: int | None  #: the message in which the attempt in question came back already
    number: int  #: of the attempt in question, which need not be the last
    failed: bool  #: whether a failure event spoke of that attempt
    other: int | None  #: the message in which another attempt came back, where none spoke against it
    entry: bytes = b""  #: a forward's received entry


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a signal means: the delivery it is about, and the step that follows, if any."""

    signal: Signal
    about: Tracked | None = None
    state: DeliveryState | None = None
    evidence: Evidence | None = None
    error: str | None = None
    counter: str | None = None


@dataclass(frozen=True, slots=True)
class Operated:
    """What an operator's wish came to; `before` is None where there is no such delivery."""

    delivery: int
    before: DeliveryState | None
    after: DeliveryState | None

    @property
    def done(self) -> bool:
        """Whether anything changed."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Pause:
    """Why an account (or, as account "", the whole platform) sends nothing until a time."""

    account: str
    until: int
    step: int
    reason: str


ECHO_BOUNDS = (250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000)
"""Milliseconds by which echoes are counted; those beyond the last together."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The bot in numbers; times tell since when the first of a kind is there, if any is."""

    waiting_since: int | None  #: the first message in line
    kept_since: int | None  #: the oldest message
    since: Mapping[str, int]  #: by state, the first delivery that is to leave it
    gaps: int  #: whose chats are not listed yet
    repairs: int  #: chats that wait to be fetched
    late_today: int  #: answers that took longer than a second, on this day of the platform's
    size: int  #: bytes of the database
    spare: int  #: bytes of it that are free


@dataclass(frozen=True, slots=True)
class Process:
    """One running role, as it last reported itself."""

    role: str
    pid: int
    since: int
    beat: int
    note: Mapping[str, object] = field(default_factory=dict)
