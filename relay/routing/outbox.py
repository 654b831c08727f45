"""Decisions become deliveries, each target once."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

from relay.authoring.decisions import (
    FARTHEST,
    Act,
    Decision,
    DecisionError,
    Forward,
    Reply,
    Send,
    Stop,
    Would,
)
from relay.authoring.message import Message
from relay.authoring.outgoing import Outgoing
from relay.authoring.trace import Trace
from relay.config.problems import UnfitError
from relay.routing.conversations import Place
from relay.store.states import DeliveryKind
from relay.store.values import NewDelivery, StateChange, Talk
from relay.wire.scalars import storable

MOST_DELIVERIES = 10_000  # of one message: while so much is written, no callback is
DELIVERY = 1024  # bytes; a longer body counts as several

ACTS = frozenset({"forward", "reply", "send", "stop"})  # the decisions of a trace by which something is done
WOULD = "would"  # what a trace calls them where they are only observed

Acting = Callable[[str], Awaitable[str | None]]
Resolve = Callable[[str], tuple[str, ...]]  # a name of [chats] or a wxid → wxids; ValueError when unknown
_Kept = tuple[dict[str, str], Counter[tuple[str, str]], list[NewDelivery], int]


class Outbox:
    """What is to go out because of one message, and what plugins are to remember because of it."""

    def __init__(
        self,
        place: Place,
        resolve: Resolve,
        now: int,
        about: int | None = None,
        acting: Acting | None = None,
    ) -> None:
        """`place` is the message, or where else something is decided; `about` the message it is about.

        Where there is no message, `acting` tells who of ours writes to a chat.
        """
        self.place = place
        self.about = (place, about, now)
        self.now = now
        self._resolve = resolve
        self._acting = acting
        self._writers: dict[str, str] = {}
        self._forwarded: dict[str, str] = {}
        self._ordinals: Counter[tuple[str, str]] = Counter()
        self._deliveries: list[NewDelivery] = []
        self._room = MOST_DELIVERIES
        self._would: dict[tuple[str, str], None] = {}
        self.changes: list[StateChange] = []
        self.talks: list[Talk] = []

    @property
    def deliveries(self) -> tuple[NewDelivery, ...]:
        """Every delivery so far, in the order decided."""
        return tuple(self._deliveries)

    @property
    def would(self) -> tuple[tuple[str, str], ...]:
        """The plugins and rules that only observe, and would have done something."""
        return tuple(self._would)

    async def look_up(self, decisions: Iterable[Decision]) -> None:
        """Learn who is to write to the chats that these name, where they do not say so themselves."""
        if self._acting is None:
            return
        named = [each.chat for each in decisions if isinstance(each, Send) and not each.account]
        for name in named:
            with contextlib.suppress(ValueError, TypeError):  # told when it is taken
                for chat in self._resolve(_storable(name)):
                    self._writers[chat] = await self._acting(chat) or self.place.account

    def take(
        self, plugin: str, decisions: Iterable[Decision], trace: Trace, *, observe: bool = False
    ) -> bool:
        """Add what was decided, in order; true when one of the decisions is to stop.

        All of it or, where a part cannot be stored or sent, nothing, and the error is raised. With
        `observe` it is only told what would be.
        """
        before = self._kept()
        try:
            return [self._add(plugin, decision, trace, observe) for decision in decisions].count(True) > 0
        except BaseException:
            self._restore(before)
            raise

    def _kept(self) -> _Kept:
        return dict(self._forwarded), self._ordinals.copy(), list(self._deliveries), self._room

    def _restore(self, kept: _Kept) -> None:
        self._forwarded, self._ordinals, self._deliveries, self._room = kept

    def _add(self, plugin: str, decision: Decision, trace: Trace, observe: bool) -> bool:
        if isinstance(decision, Would):
            for each in decision.decisions:
                self._observe(plugin, each, trace)
            return False
        if observe:
            self._observe(plugin, decision, trace)
            return False
        return self._decide(plugin, decision, trace)

    def _observe(self, plugin: str, decision: Act, trace: Trace) -> None:
        """Tell what the decision would do after those so far, and leave everything as it is."""
        before, own = self._kept(), Trace()
        try:
            self._decide(plugin, decision, own)
        except (TypeError, ValueError) as exc:  # live decisions of the same handler are not to suffer
            told = str(exc) if isinstance(exc, DecisionError) else type(exc).__name__
            trace.note(plugin, storable(str(decision.rule)), "error", told)
            return
        finally:
            self._restore(before)
        for line in own.lines:
            acts = line.decision in ACTS
            said = f"{line.decision}: {line.reason}" if acts else line.reason
            trace.note(plugin, line.rule, WOULD if acts else line.decision, said)
            if acts:
                self._would[plugin, line.rule] = None

    def _decide(self, plugin: str, decision: Act, trace: Trace) -> bool:
        _storable(decision.rule)
        match decision:
            case Stop():
                trace.note(plugin, decision.rule, "stop", "later rules and plugins do not see it")
                return True
            case Forward():
                self._forward(plugin, decision, trace)
            case Reply():
                if self.place.chat:
                    self._send(plugin, decision, (self.place.chat,), "", "reply", trace)
                else:
                    trace.note(plugin, decision.rule, "error", "there is no message to reply to")
            case Send():
                chats = self._targets(plugin, decision.rule, (decision.chat,), trace)
                self._send(plugin, decision, chats, _storable(decision.account), "send", trace)
        return False

    def _forward(self, plugin: str, decision: Forward, trace: Trace) -> None:
        if not isinstance(self.place, Message):
            trace.note(plugin, decision.rule, "error", "there is no message to forward")
            return
        found = self._targets(plugin, decision.rule, decision.to, trace)
        targets = [chat for chat in found if chat != self.place.chat]
        new = [chat for chat in targets if chat not in self._forwarded]
        for chat in targets:
            if chat in self._forwarded:
                trace.note(plugin, decision.rule, "no", f"{chat} gets it by {self._forwarded[chat]} already")
        account = _storable(decision.account) or self.place.account
        preface = None if decision.preface is None else _body(decision.preface)
        for chat in new:
            self._forwarded[chat] = f"{plugin} {decision.rule}".strip()
            first = None
            if preface is not None:
                first = self._queue(plugin, decision.rule, DeliveryKind.SEND, account, chat, preface)
            self._queue(plugin, decision.rule, DeliveryKind.FORWARD, account, chat, None, after=first)
        if new:
            trace.note(plugin, decision.rule, "forward", "to " + ", ".join(new))
        elif found and not targets:
            trace.note(plugin, decision.rule, "no", "no other chat to forward to")
        elif not decision.to:
            trace.note(plugin, decision.rule, "no", "it names no chat to forward to")

    def _send(
        self,
        plugin: str,
        decision: Reply | Send,
        chats: Iterable[str],
        account: str,
        word: str,
        trace: Trace,
    ) -> None:
        delay = self._delay(decision)
        for chat in chats:
            by = account or self._writers.get(chat) or self.place.account
            if not by and self._acting is not None:  # a rehearsal may know no account of ours
                trace.note(plugin, decision.rule, "error", f"no account of ours was heard in {chat}")
                continue
            for outgoing in decision.messages:
                self._queue(plugin, decision.rule, DeliveryKind.SEND, by, chat, _body(outgoing), delay)
            trace.note(plugin, decision.rule, word, f"{len(decision.messages)} to {chat}")

    def _delay(self, decision: Reply | Send) -> int:
        delay = decision.delay.total_seconds() * 1000
        if decision.at is not None:
            delay = decision.at.timestamp() * 1000 - self.now
            if delay > FARTHEST.total_seconds() * 1000:
                raise DecisionError(f"at= is too far away: {FARTHEST.days} days are the most")
        return max(0, round(delay))

    def _targets(self, plugin: str, rule: str, names: Iterable[str], trace: Trace) -> list[str]:
        found: dict[str, None] = {}
        for name in names:
            try:
                found.update(dict.fromkeys(self._resolve(_storable(name))))
            except ValueError as exc:
                hint = f" ({exc.hint})" if isinstance(exc, UnfitError) and exc.hint else ""
                trace.note(plugin, rule, "error", f"{name} is not in [chats]{hint}")
        return list(found)

    def _queue(
        self,
        plugin: str,
        rule: str,
        kind: DeliveryKind,
        account: str,
        chat: str,
        body: bytes | None,
        delay: int = 0,
        after: int | None = None,
    ) -> int:
        """The delivery's place in the list; `ValueError` where it would be one too many."""
        self._room -= 1 + len(body or b"") // DELIVERY
        if self._room < 0:
            raise DecisionError(
                f"more than is stored for one message, {MOST_DELIVERIES} deliveries of 1 KB, and none counts"
            )
        ordinal = self._ordinals[plugin, rule]
        self._ordinals[plugin, rule] += 1
        self._deliveries.append(NewDelivery(plugin, rule, ordinal, kind, account, chat, body, delay, after))
        return len(self._deliveries) - 1


def _body(outgoing: Outgoing) -> bytes:
    try:
        return outgoing.body()
    except (TypeError, ValueError) as exc:
        raise DecisionError(f"a {outgoing.type} holds what JSON cannot say ({type(exc).__name__})") from exc


def _storable(text: object) -> str:
    """The text itself; `ValueError` for what the database could not hold."""
    if not isinstance(text, str):
        raise DecisionError(f"a decision names things by strings, not by {type(text).__name__}")
    text.encode()
    return text
