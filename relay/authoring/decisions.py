"""What a handler may decide. Decisions are values: the live bot stores them, a rehearsal prints them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace

from relay.authoring.outgoing import Outgoing, text


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

    With `delay` (seconds or a timedelta) or `at` it waits in relay's queue, with `delayed_time` (unix
    seconds) at the platform.
    """

    messages: tuple[Outgoing, ...]
    rule: str
    delay: dt.timedelta
    at: dt.datetime | None

    def __init__(
        self,
        *messages: str | Outgoing,
        rule: str = "",
        delay: float | dt.timedelta = 0,
        at: dt.datetime | None = None,
        delayed_time: int = 0,
    ) -> None:
        _set(
            self,
            messages=_outgoing(messages, delayed_time),
            rule=rule,
            delay=_timedelta(delay),
            at=_aware(at),
        )


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
        delay: float | dt.timedelta = 0,
        at: dt.datetime | None = None,
        delayed_time: int = 0,
    ) -> None:
        _set(self, chat=chat, messages=_outgoing(messages, delayed_time), account=account, rule=rule)
        _set(self, delay=_timedelta(delay), at=_aware(at))


@dataclass(frozen=True, slots=True)
class Stop:
    """Later handlers and plugins do not see the message; what was decided so far stands."""

    rule: str = ""


Decision = Forward | Reply | Send | Stop


def _set(decision: object, **values: object) -> None:
    for name, value in values.items():
        object.__setattr__(decision, name, value)


def _outgoing(messages: tuple[str | Outgoing, ...], delayed_time: int) -> tuple[Outgoing, ...]:
    if not messages:
        raise ValueError("a reply or send needs at least one message")
    built = (text(each) if isinstance(each, str) else each for each in messages)
    return tuple(replace(each, delayed_time=delayed_time) if delayed_time else each for each in built)


def _timedelta(delay: float | dt.timedelta) -> dt.timedelta:
    return delay if isinstance(delay, dt.timedelta) else dt.timedelta(seconds=delay)


def _aware(at: dt.datetime | None) -> dt.datetime | None:
    if at is not None and at.tzinfo is None:
        raise ValueError("at= needs a time zone; build it from ctx.now")
    return at
