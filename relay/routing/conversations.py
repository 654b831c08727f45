"""Questions that wait for the sender's next message: which message answers, and what begins and ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from relay.authoring.decisions import Decision, EndConversation, Reply
from relay.authoring.handlers import Handler, described
from relay.authoring.message import Message
from relay.authoring.plugin import Plugin
from relay.authoring.trace import Trace
from relay.config import Duration
from relay.errors import PluginError
from relay.store.occasions import Question
from relay.store.protocol import Store
from relay.store.values import Talk
from relay.wire.entries import ROOM

NO_ANSWERS = frozenset({"system", "revoke"})
"""Types of messages that nobody says."""


class Place(Protocol):
    """Where something was said, or is to be: a message, or a conversation."""

    @property
    def account(self) -> str:
        """Ours."""

    @property
    def chat(self) -> str:
        """The chat, "" where there is none."""

    @property
    def chat_type(self) -> str:
        """`room` or `private`."""

    @property
    def sender(self) -> str:
        """Who spoke there."""


About = tuple[Place, int | None, int]
"""Where something is decided, because of which message, and when."""

Resolve = Callable[[str], tuple[str, ...]]  # a name of [chats] or a wxid → wxids; ValueError when unknown


Key = tuple[str, str, str]  # plugin, chat, sender

MOST_KEYS = 1_000  # in memory before those are let go of that are over, or twice as many as are open


class Conversations:
    """Those that are open. Memory tells who may be in one, so that nothing is asked for all others."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: set[Key] | None = None
        self._most = MOST_KEYS
        self._learning = asyncio.Lock()
        self._begun: set[Key] | None = None  # while somebody looks which are open: what was begun since

    @property
    def open(self) -> bool:
        """Whether there may be any."""
        return self._keys is None or bool(self._keys)

    async def ready(self) -> None:
        """Learn what earlier routers began, and now and then what has ended; no other process begins any."""
        if self._outgrown:
            async with self._learning:
                if self._outgrown:
                    await self._learn()

    @property
    def _outgrown(self) -> bool:
        return self._keys is None or len(self._keys) > self._most

    async def _learn(self) -> None:
        begun = self._begun = set[Key]()
        try:
            self._keys = set(await self._store.occasions.talking()) | begun
        finally:
            self._begun = None
        self._most = max(MOST_KEYS, 2 * len(self._keys))

    def began(self, talks: Iterable[Talk]) -> None:
        """These may be on disk from now on."""
        begun = {(each.plugin, each.chat, each.sender) for each in talks if each.handler}
        for keys in (self._keys, self._begun):
            if keys is not None:
                keys |= begun

    async def question(self, plugin: str, number: int, message: Message) -> Question | None:
        """What this message answers: said after that plugin asked its sender there, and in time."""
        key = (plugin, message.chat, message.sender)
        if not self._keys or key not in self._keys or message.type in NO_ANSWERS:
            return None
        found = await self._store.occasions.question(*key, message.account)
        if found is None:
            self._keys.discard(key) if message.chat_type == ROOM else None
            return None
        heard_at = await self._store.occasions.heard_at(number)
        if heard_at is None:  # a rehearsal's
            heard_at = round(message.time.timestamp() * 1000)
        return found if found.since <= heard_at < found.until else None


def answering(plugin: Plugin, name: str) -> Handler | None:
    """The function of this version of the plugin that a question names; None where it has none that fits."""
    function = plugin.named(name)
    if function is None:
        return None
    try:
        return described(function)
    except PluginError:
        return None


def ended(question: Question) -> Talk:
    """The end of this one, and of none that took its place."""
    return Talk(question.plugin, question.chat, question.sender, question.ear, only=question.id)


def talks_of(
    plugin: Plugin, about: About, decisions: Sequence[Decision], resolve: Resolve, trace: Trace
) -> list[Talk]:
    """The conversations that these decisions begin and end, in their order.

    Raises `DecisionError` for a function that could not be found again.
    """
    found: list[Talk] = []
    place, message, now = about
    for each in decisions:
        if isinstance(each, EndConversation):
            found += _ends(plugin.name, place, each, resolve, trace)
        elif isinstance(each, Reply) and each.then is not None and place.chat:
            talk = _begin(plugin, place, message, each, now)
            asked = f"for {Duration(talk.within)}, the answer goes to {talk.handler}"
            trace.note(plugin.name, each.rule, "ask", asked)
            found.append(talk)
    return found


def _ends(
    plugin: str, place: Place, decision: EndConversation, resolve: Resolve, trace: Trace
) -> Iterator[Talk]:
    sender = decision.sender or place.sender
    try:
        chats = resolve(decision.chat) if decision.chat else (place.chat,)
    except ValueError:
        trace.note(plugin, decision.rule, "error", f"{decision.chat} is not in [chats]")
        return
    for chat in chats:
        if not chat or not sender:
            trace.note(plugin, decision.rule, "error", "it takes a chat and a sender to end a conversation")
            continue
        trace.note(plugin, decision.rule, "end", f"waits no longer for {sender} in {chat}")
        own = (chat, sender) == (place.chat, place.sender)
        yield Talk(plugin, chat, sender, ear_of(place) if own else None)


def _begin(plugin: Plugin, place: Place, message: int | None, reply: Reply, now: int) -> Talk:
    assert reply.then is not None  # noqa: S101 - or it is no question
    return Talk(
        plugin.name,
        place.chat,
        place.sender,
        ear_of(place),
        place.account,
        plugin.name_of(reply.then),
        "" if reply.on_timeout is None else plugin.name_of(reply.on_timeout, "on_timeout"),
        message,
        _delay(reply, now),
        round(reply.within.total_seconds() * 1000),
    )


def ear_of(place: Place) -> str:
    """Which of our accounts alone hears the answer; any in a room."""
    return "" if place.chat_type == ROOM else place.account


def _delay(reply: Reply, now: int) -> int:
    """How long until the question is there to be answered."""
    at = max(
        (message.delayed_time * 1000 for message in reply.messages),
        default=0,
    )
    if reply.at is not None:
        at = max(at, round(reply.at.timestamp() * 1000))
    return max(round(reply.delay.total_seconds() * 1000), at - now, 0)
