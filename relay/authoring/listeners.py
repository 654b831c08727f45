"""Handlers of what is no message: the platform's other notifications, and what becomes of deliveries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from relay.authoring.choice import Given, one_of, texts_of
from relay.authoring.handlers import Handler
from relay.config.problems import UnfitError, did_you_mean
from relay.language import Text
from relay.store.states import DeliveryState
from relay.wire.notifications import CHAT_MSG, NOTIFICATIONS

STATES = tuple(str(state) for state in DeliveryState)

MESSAGES = Text("消息不走 on_event", "messages do not come by on_event", "choice")
ON_MESSAGE = Text("用 @plugin.on_message()", "use @plugin.on_message()")
NO_EVENT = Text("平台没有 {name} 这种通知", "the platform has no notification {name}", "choice")
NO_STATE = Text("没有投递状态 {name}", "there is no state of a delivery {name}", "choice")


@dataclass(frozen=True, slots=True)
class EventHandler:
    """A handler of notifications of these types; none: of all but messages."""

    handler: Handler
    types: frozenset[str]

    @classmethod
    def of(cls, handler: Handler, types: Iterable[object]) -> EventHandler:
        """Check the types; one that nobody knows may be the platform's next one. Raises `PluginError`."""
        with handler.blaming():
            names = frozenset(name.strip() for name in texts_of(types))
            for name in names:
                if name == CHAT_MSG:
                    raise UnfitError(MESSAGES, ON_MESSAGE)
                if name not in NOTIFICATIONS and (hint := did_you_mean(name, NOTIFICATIONS)):
                    raise UnfitError(NO_EVENT.filled(name=name), hint)
        return cls(handler, names)

    def wants(self, type_: str) -> bool:
        """Whether it is to be told of a notification of this type."""
        return not self.types or type_ in self.types


@dataclass(frozen=True, slots=True)
class DeliveryHandler:
    """A handler of deliveries that come to one of these states; none: to any."""

    handler: Handler
    states: Given

    def bound(self, settings: object) -> frozenset[DeliveryState]:
        """The states that it is told of, with these settings; raises `PluginError`."""
        with self.handler.blaming():
            given: Any = self.states(settings) if callable(self.states) else self.states
            names = one_of(texts_of(given), STATES, NO_STATE) or STATES
            return frozenset(DeliveryState(name) for name in names)

    @classmethod
    def of(cls, handler: Handler, states: Given | Callable[[Any], Any]) -> DeliveryHandler:
        """Raises `PluginError` for what is wrong whatever the settings are."""
        made = cls(handler, states)
        if not callable(states):
            made.bound(None)
        return made
