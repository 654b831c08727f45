"""One fault: what goes wrong, where, and how often. A plain value, the same in Python and JSON.

Every fault has a scope (`account`, `target`, and `path` for calls; None is any), a count (`times`; None is
without end), and a chance (`probability`, by dice of its own that `seed` makes reproducible).

| kind | what happens | its own fields |
|---|---|---|
| delay | the call waits `seconds` | when, seconds |
| hang | no answer until it is released, or for `seconds`; then the call goes on | when, seconds (0: no end) |
| close | the connection is closed without an answer | when |
| errcode | the answer is this errcode | when, errcode, message |
| http_status | the answer has this status and is no JSON | when, status, retry_after |
| not_json | the answer is 200 and a page of HTML | when |
| cut | half of the answer, then the connection is closed | when |
| expired_token | errcode 111 | |
| rate_limit | errcode 407 for `seconds` from now on, however often | seconds |
| missing_idx | message `idx` of a sendMessage is missing in the answer (after: yet sent) | when, idx |
| fail_early | the message fails, and its chatMsgSendFail comes before its echo | message |
| fail_late | the same, `seconds` after the echo | message, seconds |
| fail_first | the same, after the echo and before the call's answer | message |
| echo_first | the call is answered once all that it made to be pushed has been pushed | |
| drop | the callback is never pushed | echoes_only |
| duplicate | the callback is pushed again, `seconds` later | echoes_only, seconds (0: at once) |
| reorder | the callback comes after the account's next, or `seconds` later | echoes_only, seconds (0: 5) |
| late | the callback is pushed `seconds` later | echoes_only, seconds |
| ids_in_extra | the echo has its `api_send_*` under `extra` | |

`when` is `before` (nothing happens but this) or `after` (the call takes effect, only its answer suffers; a
call that was refused anyway is left alone). Of several faults that fit, waiting and doubling add up, and the
first of the others is the last to strike. A caller that leaves while its call hangs has asked for nothing;
one that leaves a delayed call has.

In Python: `simulator.faults.add(Fault(Kind.CLOSE, when=When.AFTER, account=…))` gives the standing fault with
its number; `remove(number)`, `clear()`, `standing()`, `release(number=None)` (lets go of what waits); and
`simulator.tokens.expire_all()`. What struck is in `simulator.ledger.strikes`.

Over HTTP, as JSON and under the page's own rules (no foreign Host, nothing from another site):

| request | body | does |
|---|---|---|
| GET /sim/faults | | `{"faults": [{"number", "struck", and the fields}], "held": n, "strikes": [the last]}` |
| POST /sim/faults/add | the fields | adds it; the answer is `{"number": n}` |
| POST /sim/faults/remove | `{"number": n}` | removes it, and releases what waits by it |
| POST /sim/faults/clear | `{}` | removes all |
| POST /sim/faults/release | `{"number": n}` or `{}` | lets go of what hangs or waits |
| POST /sim/faults/tokens | `{}` | lets every token expire now: 111 |

Closing needs the simulator's own server. An in-process ASGI caller gets a `HangUpError` raised instead, and
half an answer where it would be cut; under another server both end as that server treats an exception.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

import msgspec

PATHS = (
    "/oauth/token",
    "/wechat/sendMessage",
    "/wechat/forwardMsg",
    "/wechat/revokeMessage",
    "/wechat/chatLogs",
    "/wechat/list",
    "/wechat/roomDetail",
    "/wechat/contactInfo",
    "/wechat/contactDetail",
    "/wechat/rooms",
    "/wechat/roomMembers",
    "/index/serverIpList",
)
MOST_SECONDS = 86_400.0 * 7
MOST_CHARACTERS = 500
REORDER_PATIENCE = 5.0  # seconds without a next callback


class Kind(StrEnum):
    """What goes wrong; the table above has a line for each."""

    DELAY = "delay"
    HANG = "hang"
    CLOSE = "close"
    ERRCODE = "errcode"
    HTTP_STATUS = "http_status"
    NOT_JSON = "not_json"
    CUT = "cut"
    EXPIRED_TOKEN = "expired_token"  # noqa: S105 - a kind of fault
    RATE_LIMIT = "rate_limit"
    MISSING_IDX = "missing_idx"
    FAIL_EARLY = "fail_early"
    FAIL_LATE = "fail_late"
    FAIL_FIRST = "fail_first"
    ECHO_FIRST = "echo_first"
    DROP = "drop"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    LATE = "late"
    IDS_IN_EXTRA = "ids_in_extra"


class When(StrEnum):
    """Which side of a call's effect a fault strikes on."""

    BEFORE = "before"
    """The call does nothing."""
    AFTER = "after"
    """The call has done all it should."""


class Point(StrEnum):
    """Where the simulator asks whether something goes wrong."""

    BEFORE = "before"
    """A call came in; nothing has been looked at."""
    MESSAGES = "messages"
    """A sendMessage passed all checks."""
    AFTER = "after"
    """A call took effect and is about to be answered."""
    MESSAGE = "message"
    """A message of a call is about to appear."""
    ECHO = "echo"
    """An echo is composed."""
    CALLBACK = "callback"
    """A callback is about to be queued."""


_EITHER_SIDE = (Kind.DELAY, Kind.HANG, Kind.CLOSE, Kind.ERRCODE, Kind.HTTP_STATUS, Kind.NOT_JSON, Kind.CUT)
_POINTS: Mapping[Kind, Point] = {
    Kind.EXPIRED_TOKEN: Point.BEFORE,
    Kind.RATE_LIMIT: Point.BEFORE,
    Kind.MISSING_IDX: Point.MESSAGES,
    Kind.FAIL_EARLY: Point.MESSAGE,
    Kind.FAIL_LATE: Point.MESSAGE,
    Kind.FAIL_FIRST: Point.MESSAGE,
    Kind.ECHO_FIRST: Point.AFTER,
    Kind.DROP: Point.CALLBACK,
    Kind.DUPLICATE: Point.CALLBACK,
    Kind.REORDER: Point.CALLBACK,
    Kind.LATE: Point.CALLBACK,
    Kind.IDS_IN_EXTRA: Point.ECHO,
}
_TWO_SIDED = frozenset({*_EITHER_SIDE, Kind.MISSING_IDX})
_PATHLESS = frozenset({Kind.DROP, Kind.DUPLICATE, Kind.REORDER, Kind.LATE, Kind.IDS_IN_EXTRA})
_NEED_SECONDS = frozenset({Kind.DELAY, Kind.RATE_LIMIT, Kind.FAIL_LATE, Kind.LATE})
_ADD_UP = frozenset({Kind.DELAY, Kind.HANG, Kind.MISSING_IDX, Kind.ECHO_FIRST, Kind.DUPLICATE})
_PUSHING = frozenset({"/wechat/sendMessage", "/wechat/forwardMsg", "/wechat/revokeMessage"})
_HEADER = re.compile(r"[\x20-\x7e]{0,100}")


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that a fault may strike: a call, a message of it, an echo or a callback."""

    account: str = ""
    targets: tuple[str, ...] = ()
    path: str = ""
    request: int | None = None
    push: int | None = None
    messages: int = 0
    echo: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """What is to go wrong; ValueError where it could never strike or makes no sense."""

    kind: Kind
    when: When = When.BEFORE
    path: str | None = None
    account: str | None = None
    target: str | None = None
    times: int | None = 1
    probability: float = 1.0
    seed: int = 0
    seconds: float = 0.0
    errcode: int = 1001
    message: str = "a fault on demand"
    status: int = 502
    retry_after: str = ""
    idx: int = 0
    echoes_only: bool = False

    def __post_init__(self) -> None:
        for wrong, words in self._objections():
            if wrong:
                raise ValueError(words)

    def _objections(self) -> list[tuple[bool, str]]:
        return [
            (self.times is not None and not 1 <= self.times <= 10**9, "times counts from 1; null has no end"),
            (not 0 < self.probability <= 1, "probability is above 0 and up to 1"),
            (not _sane(self.seconds), f"seconds goes from 0 to {MOST_SECONDS:.0f}"),
            (self.kind in _NEED_SECONDS and self.seconds == 0, f"{self.kind} needs seconds"),
            (not -(10**9) < self.errcode < 10**9, "errcode is a number of up to nine digits"),
            (self.kind is Kind.ERRCODE and self.errcode == 0, "errcode 0 is no fault"),
            (len(self.message) > MOST_CHARACTERS, f"message has at most {MOST_CHARACTERS} characters"),
            (not 200 <= self.status <= 599, "status goes from 200 to 599"),
            (not _HEADER.fullmatch(self.retry_after), "retry_after is a short line of plain ASCII"),
            (not 0 <= self.idx < 5, "idx goes from 0 to 4"),
            (self.when is When.AFTER and self.kind not in _TWO_SIDED, f"{self.kind} has no `after`"),
            (self.path is not None and self.kind in _PATHLESS, f"{self.kind} is about callbacks: no path"),
            (self.path not in (None, *PATHS), f"there is no call {self.path}"),
        ]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Fault:
        """Read a fault from JSON; ValueError with a sentence for whatever does not belong in it."""
        unknown = body.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"a fault has no {', '.join(sorted(map(repr, unknown)))}")
        return msgspec.convert(body, cls)

    def as_json(self) -> dict[str, Any]:
        """Give what `of` reads."""
        return asdict(self)

    @property
    def point(self) -> Point:
        """Where it strikes."""
        return _POINTS.get(self.kind) or (Point.AFTER if self.when is When.AFTER else Point.BEFORE)

    @property
    def adds_up(self) -> bool:
        """Whether others may strike the same thing as well."""
        return self.kind in _ADD_UP

    def fits(self, point: Point, what: Happening) -> bool:
        """Say whether this is a place for it to strike, chance aside."""
        return (
            point is self.point
            and self.path in (None, what.path)
            and self.account in (None, what.account)
            and (self.target is None or self.target in what.targets)
            and (self.kind is not Kind.MISSING_IDX or self.idx < what.messages)
            and (self.kind is not Kind.ECHO_FIRST or what.path in _PUSHING)
            and (self.kind is not Kind.EXPIRED_TOKEN or what.path != "/oauth/token")
            and (what.echo or not self.echoes_only)
        )


def _sane(seconds: float) -> bool:
    return math.isfinite(seconds) and 0 <= seconds <= MOST_SECONDS
