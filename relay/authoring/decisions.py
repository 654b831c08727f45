"""What a handler may decide. Decisions are values: the live bot stores them, a rehearsal prints them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from relay.authoring.length import Length, milliseconds
from relay.authoring.outgoing import Outgoing, text

NO_TIME = dt.timedelta(0)
WITHIN = "10m"


@dataclass(frozen=True, slots=True, init=False)
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
        _set(self, to=(to,) if isinstance(to, str) else tuple(to), rule=rule, account=account)
        _set(self, preface=text(preface) if isinstance(preface, str) else preface)


@dataclass(frozen=True, slots=True, init=False)
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
            raise ValueError("on_timeout= goes with then=: without it nothing is waited for")


@dataclass(frozen=True, slots=True, init=False)
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
        _set(self, chat=chat, messages=_outgoing(messages, delayed_time), account=account, rule=rule)
        _set(self, **_waiting(delay, at, delayed_time))


@dataclass(frozen=True, slots=True)
class Stop:
    """Later handlers and plugins do not see the message; what was decided so far stands."""

    rule: str = ""


@dataclass(frozen=True, slots=True)
class EndConversation:
    """This plugin waits no longer for an answer of `sender` in `chat`; by default the message's own."""

    chat: str | None = None
    sender: str | None = None
    rule: str = ""


Act = Forward | Reply | Send | Stop | EndConversation


@dataclass(frozen=True, slots=True, init=False)
class Would:
    """What a rule that only observes would have decided: it is in the trace and counted, and nothing is done.

    Raises TypeError for what is no decision.
    """

    decisions: tuple[Act, ...]

    def __init__(self, *decisions: Act) -> None:
        for each in decisions:
            if not isinstance(each, Act):
                raise TypeError(f"{type(each).__name__} is no decision")
        _set(self, decisions=decisions)


Decision = Act | Would


def _set(decision: object, **values: object) -> None:
    for name, value in values.items():
        object.__setattr__(decision, name, value)


def _outgoing(messages: tuple[str | Outgoing, ...], delayed_time: int) -> tuple[Outgoing, ...]:
    if not messages:
        raise ValueError("a reply or send needs at least one message")
    built = (text(each) if isinstance(each, str) else each for each in messages)
    return tuple(replace(each, delayed_time=delayed_time) if delayed_time else each for each in built)


def _waiting(delay: Length, at: dt.datetime | None, delayed_time: int) -> dict[str, object]:
    """When it goes out, by one of the three ways to say so."""
    if not isinstance(delayed_time, int) or isinstance(delayed_time, bool):
        raise TypeError(f"delayed_time= is a time in unix seconds, not {type(delayed_time).__name__}")
    length = dt.timedelta(milliseconds=milliseconds(delay, "delay"))
    if (length != NO_TIME) + (at is not None) + (delayed_time != 0) > 1:
        raise ValueError("delay=, at= and delayed_time= each say when; give one of them")
    if length < NO_TIME:
        raise ValueError("delay= is a length of time to come, and cannot be negative")
    return {"delay": length, "at": _aware(at)}


def _within(within: Length) -> dt.timedelta:
    length = dt.timedelta(milliseconds=milliseconds(within, "within"))
    if length <= NO_TIME:
        raise ValueError("within= must be more than 0")
    return length


def _aware(at: dt.datetime | None) -> dt.datetime | None:
    if at is not None and not isinstance(at, dt.datetime):
        raise TypeError(f"at= is a datetime, not {type(at).__name__}")
    if at is not None and at.tzinfo is None:
        raise ValueError("at= needs a time zone; build it from ctx.now")
    return at
