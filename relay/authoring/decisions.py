"""What a handler may decide. Decisions are values: the live bot stores them, a rehearsal prints them."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from relay.authoring.length import Length, milliseconds
from relay.authoring.outgoing import Outgoing, text
from relay.config.problems import UnfitError

MOST = 1000  # decisions of one handler at once
NO_TIME = dt.timedelta(0)
FARTHEST = dt.timedelta(days=3650)
LATEST = 253_402_300_799  # unix seconds: the last of the calendar
WITHIN = "10m"


class DecisionError(UnfitError):
    """What a handler decided cannot be; the words are relay's own, and never what somebody said."""


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Forward:
    """Send the message on, verbatim, to these chats (names of [chats] or wxids).

    `account` is ours to forward by, if not the one that received the message; it must have heard it too.
    `preface` goes to each chat before the message, which follows once the preface is accepted.
    """

    to: tuple[str, ...]
    rule: str
    account: str
    preface: Outgoing | None

    def __init__(
        self,
        to: str | Iterable[str],
        *,
        rule: str = "",
        account: str = "",
        preface: str | Outgoing | None = None,
    ) -> None:
        _set(self, to=_chats(to), rule=rule, account=account)
        _set(self, preface=None if preface is None else _message(preface))

    def __repr__(self) -> str:
        return _told(self, list(self.to))


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Reply:
    """Answer in the message's own chat, by the account that received it.

    With `delay` (`"10m"`, seconds or a timedelta) or `at` it waits in relay's queue, with `delayed_time`
    (unix seconds) at the platform. With `then` it is a question: the sender's next message in that chat goes
    to that function of the plugin's file, if it comes `within` that time, and otherwise the question itself
    to `on_timeout(conversation, ctx)`.
    """

    messages: tuple[Outgoing, ...]
    rule: str
    delay: dt.timedelta
    at: dt.datetime | None
    then: Callable[..., Any] | None
    within: dt.timedelta
    on_timeout: Callable[..., Any] | None

    def __init__(
        self,
        *messages: str | Outgoing,
        rule: str = "",
        delay: Length = 0,
        at: dt.datetime | None = None,
        delayed_time: int = 0,
        then: Callable[..., Any] | None = None,
        within: Length = WITHIN,
        on_timeout: Callable[..., Any] | None = None,
    ) -> None:
        _set(self, messages=_outgoing(messages, delayed_time), rule=rule)
        _set(self, **_waiting(delay, at, delayed_time))
        _set(self, then=then, within=_within(within), on_timeout=on_timeout)
        if then is None and on_timeout is not None:
            raise DecisionError("on_timeout= goes with then=: without it nothing is waited for")

    def __repr__(self) -> str:
        return _told(self, *self.messages)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Send:
    """Send new messages to a chat, by `account` if given, else by the one that received the message."""

    chat: str
    messages: tuple[Outgoing, ...]
    account: str
    rule: str
    delay: dt.timedelta
    at: dt.datetime | None

    def __init__(
        self,
        chat: str,
        *messages: str | Outgoing,
        account: str = "",
        rule: str = "",
        delay: Length = 0,
        at: dt.datetime | None = None,
        delayed_time: int = 0,
    ) -> None:
        if not isinstance(chat, str):
            raise DecisionError(f"Send takes one chat, by its name or id, not {_kind(chat)}")
        _set(self, chat=chat, messages=_outgoing(messages, delayed_time), account=account, rule=rule)
        _set(self, **_waiting(delay, at, delayed_time))

    def __repr__(self) -> str:
        return _told(self, self.chat, *self.messages)


@dataclass(frozen=True, slots=True, repr=False)
class Stop:
    """Later handlers and plugins do not see the message; what was decided so far stands."""

    rule: str = ""

    def __repr__(self) -> str:
        return _told(self)


@dataclass(frozen=True, slots=True, repr=False)
class EndConversation:
    """This plugin waits no longer for an answer of `sender` in `chat`; by default the message's own."""

    chat: str | None = None
    sender: str | None = None
    rule: str = ""

    def __repr__(self) -> str:
        return _told(self)


Act = Forward | Reply | Send | Stop | EndConversation


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Would:
    """What a rule that only observes would have decided: it is in the trace and counted, and nothing is done.

    Raises `DecisionError` for what is no decision.
    """

    decisions: tuple[Act, ...]

    def __init__(self, *decisions: Act) -> None:
        for each in decisions:
            if not isinstance(each, Act):
                raise _no_decision(each)
        _set(self, decisions=decisions)

    def __repr__(self) -> str:
        return _told(self, *self.decisions)


Decision = Act | Would


_GIVEN = frozenset({"to", "messages", "chat", "decisions"})


def _told(decision: Any, *given: object) -> str:
    """The decision as it is written; what was not given is left out."""
    told = [repr(each) for each in given]
    for field in fields(decision):
        value = getattr(decision, field.name)
        left_out = value in ("", None, NO_TIME) or (field.name == "within" and decision.then is None)
        if left_out or (given and field.name in _GIVEN):
            continue
        shown = getattr(value, "__name__", None) or repr(
            str(value) if isinstance(value, dt.timedelta) else value
        )
        told.append(f"{field.name}={shown}")
    return f"{type(decision).__name__}({', '.join(told)})"


def _set(decision: object, **values: object) -> None:
    for name, value in values.items():
        object.__setattr__(decision, name, value)


def decisions_of(result: object) -> Sequence[Decision]:
    """What a handler decided by what it returned; raises `DecisionError` where that is nothing to go by."""
    if result is None:
        return ()
    several = result if isinstance(result, list | tuple) else (result,)
    if len(several) > MOST:
        raise DecisionError(
            f"{len(several)} decisions are too many: one handler may have {MOST} at once, and none counts"
        )
    for each in several:
        if not isinstance(each, Decision):
            raise _no_decision(each)
    return several


def _no_decision(strange: object) -> DecisionError:
    if inspect.iscoroutine(strange):
        strange.close()
        return DecisionError("a coroutine is no decision: an await is missing")
    if isinstance(strange, str | Outgoing):
        return DecisionError(f"{_kind(strange)} is no decision: write Reply(…) around it")
    if isinstance(strange, type) and issubclass(strange, Decision):
        return DecisionError(f"{strange.__name__} is no decision: write {strange.__name__}(…)")
    if isinstance(strange, Iterable) and not isinstance(strange, Mapping):
        return DecisionError(f"{_kind(strange)} is no decision: return them as one flat list")
    return DecisionError(f"{_kind(strange)} is no decision: return None, a decision or a list of them")


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__name__


def _chats(to: object) -> tuple[str, ...]:
    if isinstance(to, str):
        to = (to,)
    several = tuple(to) if isinstance(to, list | tuple | Iterable) else None
    strange = [to] if several is None else [each for each in several if not isinstance(each, str)]
    if several is None or strange:
        raise DecisionError(f"Forward takes chats, by names or ids, not {_kind(strange[0])}")
    return several


def _message(message: object) -> Outgoing:
    if isinstance(message, str):
        return text(message)
    if not isinstance(message, Outgoing):
        more = ": write Reply(*messages)" if isinstance(message, list | tuple) else ""
        raise DecisionError(f"a message is a text or made by text(), picture()…, not {_kind(message)}{more}")
    return message


def _outgoing(messages: tuple[object, ...], delayed_time: int) -> tuple[Outgoing, ...]:
    if not messages:
        raise DecisionError("there is nothing to say: Reply and Send need at least one message")
    built = map(_message, messages)
    return tuple(replace(each, delayed_time=delayed_time) if delayed_time else each for each in built)


def _waiting(delay: Length, at: dt.datetime | None, delayed_time: int) -> dict[str, object]:
    """When it goes out, by one of the three ways to say so."""
    if not isinstance(delayed_time, int) or isinstance(delayed_time, bool):
        raise DecisionError(f"delayed_time= is a time in unix seconds, not {_kind(delayed_time)}")
    if not 0 <= delayed_time <= LATEST:
        raise DecisionError("delayed_time= is a time in unix seconds, and this is none; milliseconds?")
    length = _length(delay, "delay")
    if (length != NO_TIME) + (at is not None) + (delayed_time != 0) > 1:
        raise DecisionError("delay=, at= and delayed_time= each say when: give one of them")
    if length < NO_TIME:
        raise DecisionError("delay= is a time to wait, and cannot be negative")
    return {"delay": length, "at": _aware(at)}


def _within(within: Length) -> dt.timedelta:
    length = _length(within, "within")
    if length <= NO_TIME:
        raise DecisionError("within= must be more than 0")
    return length


def _length(given: Length, key: str) -> dt.timedelta:
    try:
        length = dt.timedelta(milliseconds=milliseconds(given, key))
    except (UnfitError, OverflowError) as exc:
        hint = f" ({exc.hint})" if isinstance(exc, UnfitError) and exc.hint else ""
        raise DecisionError(f"{exc}{hint}" if hint else f"{key}= is too long") from exc
    if length > FARTHEST:
        raise DecisionError(f"{key}= is too long: {FARTHEST.days} days are the most")
    return length


def _aware(at: dt.datetime | None) -> dt.datetime | None:
    if at is not None and not isinstance(at, dt.datetime):
        raise DecisionError(f"at= is a datetime, not {_kind(at)}")
    if at is not None and at.tzinfo is None:
        raise DecisionError("at= needs a time zone: build it from ctx.now")
    return at
