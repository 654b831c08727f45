"""The door through which every plugin comes, the shipped ones included."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from pydantic import BaseModel

from relay.authoring.message import Message
from relay.authoring.names import Names
from relay.authoring.state import State
from relay.authoring.trace import Trace
from relay.errors import PluginError

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Handler:
    """A plugin's function for messages, and what it wants to see."""

    name: str
    function: Callable[..., Any]
    types: frozenset[str]
    include_own: bool | Callable[[Any], bool]
    is_async: bool

    def wants_own(self, settings: object) -> bool:
        """Whether it wants to see what staff type on our accounts' phones, with these settings."""
        return self.include_own if isinstance(self.include_own, bool) else bool(self.include_own(settings))

    def refuses(self, message: Message, settings: object) -> str | None:
        """Why this handler does not want the message, or None."""
        if message.own and not self.wants_own(settings):
            return "own, and include_own is not set"
        if self.types and message.type not in self.types:
            return f"type {message.type} is not among {', '.join(sorted(self.types))}"
        return None


class NoSettings(BaseModel):
    """The settings of a plugin that has none."""


class Plugin:
    """What a plugin file defines as `plugin`: its name, its settings, its handlers.

    `settings` is a pydantic model; the table [plugins.NAME] of bot.toml is read into it at load.
    Its validators refuse with `ValueError` or `UnfitError`. What is allowed but unwise a model tells in a
    method `warnings()`: pairs of a key of its table ("" for the table as a whole) and a `Text` or string.
    """

    def __init__(self, name: str, *, settings: type[BaseModel] = NoSettings) -> None:
        self.name = name
        self.settings = settings
        self.handlers: list[Handler] = []

    def on_message(
        self, *, types: Iterable[str] = (), include_own: bool | Callable[[Any], bool] = False
    ) -> Callable[[F], F]:
        """Call the decorated function as `handler(message, ctx)` for messages of these types, or all.

        It may be `async`, or plain and then runs in a thread; it returns None, a decision or a list of them.
        With `include_own` it also gets what staff type on our accounts' phones, never what may be an echo;
        a function says whether it does with the settings at hand.
        Raises `PluginError` when its arguments are not two.
        """

        def register(function: F) -> F:
            wanted = frozenset((types,) if isinstance(types, str) else types)
            name = getattr(function, "__name__", repr(function))
            _check_arguments(function, name)
            self.handlers.append(
                Handler(name, function, wanted, include_own, inspect.iscoroutinefunction(function))
            )
            return function

        return register


def _check_arguments(function: Callable[..., Any], name: str) -> None:
    code = inspect.unwrap(function).__code__ if hasattr(inspect.unwrap(function), "__code__") else None
    try:
        inspect.signature(function).bind(None, None)
    except TypeError as exc:
        raise PluginError(
            f"{name}{inspect.signature(function)} must take (message, ctx): {exc}",
            code.co_filename if code else None,
            code.co_firstlineno if code else None,
        ) from exc


@dataclass(frozen=True)
class Context:
    """What a handler gets beside the message.

    `state` is what the plugin remembers; `names` what people and chats are called; `now` the time in the
    bot's time zone; `dry_run` is true in a rehearsal, where nothing is sent.
    """

    settings: Any
    log: structlog.typing.FilteringBoundLogger
    now: dt.datetime
    plugin: str
    trace: Trace
    state: State
    names: Names
    dry_run: bool = False

    def note(self, rule: str, reason: str) -> None:
        """Tell `relay explain` why a rule of this plugin did not match."""
        self.trace.note(self.plugin, rule, "no", reason)
