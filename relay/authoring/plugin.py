"""The door through which every plugin comes, the shipped ones included."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

import structlog
from pydantic import BaseModel

from relay.authoring.choice import NO_GROUPS, Choice, Given, MessageHandler, Resolve
from relay.authoring.decisions import DecisionError
from relay.authoring.handlers import Handler, described, place
from relay.authoring.inquiry import Inquiry
from relay.authoring.length import Length
from relay.authoring.listeners import DeliveryHandler, EventHandler
from relay.authoring.names import Names
from relay.authoring.rhythm import Rhythm, Ticker
from relay.authoring.state import State
from relay.authoring.trace import Trace
from relay.errors import PluginError
from relay.language import Text
from relay.store.states import DeliveryState

F = TypeVar("F", bound="Function")
Function = Callable[..., Any]
OwnFilter = bool | Callable[[Any], bool]

SAME_NAME = Text(
    "已有一个定时函数叫 {name}：它上次何时运行是按名字记的",
    "another ticking handler is called {name}: when it ran last is remembered by its name",
    "doubled",
)
OTHER_NAME = Text("给其中一个换个名字", "give one of them another name")
NOT_AT_TOP = Text(
    "{key} 要用插件自己文件里顶层的函数；{name} 不是，重启后就找不到它了",
    "{key} must be a function at the top of the plugin's own file; {name} is none, and could not be found "
    "again after a restart",
)
UNUSED = Text(
    "这一行的 {word}(…) 没有装饰任何函数", "{word}(…) on this line decorates no function", "arguments"
)
UNUSED_HINT = Text(
    "把 @plugin.{word}(…) 写在函数上一行", "put @plugin.{word}(…) on the line above the function"
)


class NoSettings(BaseModel):
    """The settings of a plugin that has none."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A plugin's handlers, and what each wants with the settings and chats at hand."""

    messages: tuple[tuple[Handler, Choice], ...]
    events: tuple[EventHandler, ...]
    deliveries: tuple[tuple[Handler, frozenset[DeliveryState]], ...]
    ticks: tuple[tuple[Handler, Rhythm], ...]


class Plugin:
    """What a plugin file defines as `plugin`: its name, its settings, its handlers.

    `settings` is a pydantic model; the table [plugins.NAME] of bot.toml is read into it at load.
    Its validators refuse with `ValueError` or `UnfitError`. What is allowed but unwise a model tells in a
    method `warnings()`: pairs of a key of its table ("" for the table as a whole) and a `Text` or string.

    Every handler may be `async`, or plain and then runs in a thread. It is held to its arguments when it is
    registered: `PluginError` tells file, line and what was expected.
    """

    def __init__(self, name: str, *, settings: type[BaseModel] = NoSettings) -> None:
        self.name = name
        self.settings = settings
        self.handlers: list[MessageHandler] = []
        self.event_handlers: list[EventHandler] = []
        self.delivery_handlers: list[DeliveryHandler] = []
        self.tickers: list[Ticker] = []
        self.start_hooks: list[Handler] = []
        self.stop_hooks: list[Handler] = []
        self._file: Mapping[str, Any] = sys._getframe(1).f_globals  # noqa: SLF001 - the file it is made in
        self._begun: dict[object, PluginError] = {}

    @overload
    def on_message(self, function: F, /) -> F: ...

    @overload
    def on_message(
        self,
        function: None = None,
        /,
        *,
        types: Given = (),
        chats: Given = (),
        senders: Given = (),
        chat_type: str | Callable[[Any], str] = "any",
        contains: Given = (),
        regex: Given = (),
        include_own: OwnFilter = False,
    ) -> Callable[[F], F]: ...

    def on_message(
        self, function: Any = None, /, *, include_own: OwnFilter = False, **filters: Given
    ) -> object:
        """Call the decorated function as `handler(message, ctx)` for messages that meet every filter given.

        It returns None, a decision or a list of them. `chats` and `senders` are names of [chats] or wxids;
        one of the words of `contains` must be in the text (compared as in rules), one RE2 pattern of `regex`
        must match it, and `ctx.match` holds the named groups. With `include_own` it also gets what staff
        type on our accounts' phones, never what may be an echo. Each filter may be a function of the
        settings.
        """

        def register(function: Function) -> None:
            handler = MessageHandler(described(function), include_own, filters)
            handler.check()
            self.handlers.append(handler)

        return self._decorator("on_message", register, function)

    @overload
    def on_event(self, function: F, /) -> F: ...

    @overload
    def on_event(self, *types: str) -> Callable[[F], F]: ...

    def on_event(self, *types: Any) -> object:
        """Call the decorated function as `handler(event, ctx)` for the platform's other notifications.

        `types` are the platform's own words, such as "contacts"; none: all but messages.
        """
        bare = len(types) == 1 and callable(types[0])

        def register(function: Function) -> None:
            handler = described(function, ("event", "ctx"))
            self.event_handlers.append(EventHandler.of(handler, () if bare else types))

        return self._decorator("on_event", register, types[0] if bare else None)

    @overload
    def on_delivery(self, function: F, /) -> F: ...

    @overload
    def on_delivery(self, function: None = None, /, *, states: Given = ()) -> Callable[[F], F]: ...

    def on_delivery(self, function: Any = None, /, *, states: Given = ()) -> object:
        """Call the decorated function as `handler(delivery, ctx)` when a delivery comes to such a state.

        No states: any. Deliveries that this plugin decided itself are not told.
        """

        def register(function: Function) -> None:
            handler = described(function, ("delivery", "ctx"))
            self.delivery_handlers.append(DeliveryHandler.of(handler, states))

        return self._decorator("on_delivery", register, function)

    def every(
        self,
        period: Length | Callable[[Any], Length],
        *,
        at: str | Callable[[Any], str | None] | None = None,
    ) -> Callable[[F], F]:
        """Call the decorated function as `handler(ctx)` every so often: `"10m"`, seconds, a timedelta.

        `every("1d", at="09:00")` is at that time in the bot's time zone. It goes on over restarts: ticks
        that were missed are made up for once. Both may be functions of the settings.
        """

        def register(function: Function) -> None:
            ticker = Ticker(described(function, ("ctx",)), period, at)
            ticker.check()
            if any(each.handler.name == ticker.handler.name for each in self.tickers):
                raise ticker.handler.error(SAME_NAME.filled(name=ticker.handler.name), OTHER_NAME)
            self.tickers.append(ticker)

        decorator: Callable[[F], F] = self._decorator("every", register, None)
        return decorator

    @overload
    def on_start(self, function: F, /) -> F: ...

    @overload
    def on_start(self, function: None = None, /) -> Callable[[F], F]: ...

    def on_start(self, function: Any = None, /) -> object:
        """Call the decorated function as `start(ctx)` before the plugin's first message.

        Where it raises, this version of the plugin does not load. It decides nothing.
        """
        return self._decorator("on_start", self._hooking(self.start_hooks), function)

    @overload
    def on_stop(self, function: F, /) -> F: ...

    @overload
    def on_stop(self, function: None = None, /) -> Callable[[F], F]: ...

    def on_stop(self, function: Any = None, /) -> object:
        """Call the decorated function as `stop(ctx)` after the plugin's last message. It decides nothing."""
        return self._decorator("on_stop", self._hooking(self.stop_hooks), function)

    @staticmethod
    def _hooking(hooks: list[Handler]) -> Callable[[Function], None]:
        return lambda function: hooks.append(described(function, ("ctx",)))

    def _decorator(self, word: str, register: Callable[[Function], None], function: Function | None) -> Any:  # noqa: ANN401, RUF100 - the function, or what decorates it
        """Register the function, or give back what will; whether it ever does is known at load."""
        if function is not None:
            register(function)
            return function
        line = sys._getframe(2)  # noqa: SLF001 - the plugin's own
        error = PluginError(
            UNUSED.filled(word=word), line.f_code.co_filename, line.f_lineno, UNUSED_HINT.filled(word=word)
        )

        def decorate(function: F) -> F:
            self._begun.pop(decorate, None)
            register(function)
            return function

        self._begun[decorate] = error
        return decorate

    def check(self) -> None:
        """Raise `PluginError` for a decorator that decorates nothing, once the whole file has run."""
        for error in self._begun.values():
            raise error

    def bound(self, settings: object, resolve: Resolve) -> Bound:
        """The handlers with these settings and chats; raises `PluginError` for what does not fit them."""
        return Bound(
            tuple((each.handler, each.bound(settings, resolve)) for each in self.handlers),
            tuple(self.event_handlers),
            tuple((each.handler, each.bound(settings)) for each in self.delivery_handlers),
            tuple((each.handler, each.bound(settings)) for each in self.tickers),
        )

    def name_of(self, function: Callable[..., Any], key: str = "then") -> str:
        """By which a function of the plugin's own file, or of its package, is found again after a restart.

        Raises `DecisionError` where it would not be, or does not take what it will be called with.
        """
        home, module = self._file["__name__"], getattr(function, "__module__", None) or ""
        name = getattr(function, "__name__", type(function).__name__)
        inside = module.removeprefix(home)
        if module == home or (module.startswith(home) and inside.startswith(".")):
            told = f"{inside[1:]}:{name}" if inside else name
            if self.named(told) is function:
                self._check_later(function, key)
                return told
        raise DecisionError(NOT_AT_TOP.filled(key=key, name=name))

    @staticmethod
    def _check_later(function: Callable[..., Any], key: str) -> None:
        """Hold it now to what it will be called with then."""
        try:
            described(function, ("conversation" if key == "on_timeout" else "message", "ctx"))
        except PluginError as exc:
            raise DecisionError(exc.what, exc.hint) from exc

    def named(self, name: str) -> Callable[..., Any] | None:
        """The function that `name_of` told; None where this version of the plugin has none."""
        inside, _, last = name.rpartition(":")
        module = sys.modules.get(f"{self._file['__name__']}.{inside}")
        found = (vars(module) if module else {}).get(last) if inside else self._file.get(last)
        return found if callable(found) else None

    def place_of(self, name: str) -> tuple[str | None, int | None]:
        """The file and line of the handler of this name, whatever it is called for."""
        registered = (self.handlers, self.event_handlers, self.delivery_handlers, self.tickers)
        handlers = [*(each.handler for some in registered for each in some), *self.start_hooks]
        for handler in (*handlers, *self.stop_hooks):
            if handler.name == name:
                return handler.file, handler.line
        function = self.named(name)  # it answers a question
        return place(function) if function is not None else (None, None)


@dataclass(frozen=True)
class Context:
    """What a handler gets beside the message, or whatever else it is called for.

    `state` is what the plugin remembers; `names` what people and chats are called; `now` the time in the
    bot's time zone; `match` the named groups of the handler's `regex`; `dry_run` is true in a rehearsal,
    where nothing is sent; `detailed` asks for a note on every rule, however many there are. `bot` answers
    questions about the bot itself.
    """

    settings: Any
    log: structlog.typing.FilteringBoundLogger
    now: dt.datetime
    plugin: str
    trace: Trace
    state: State
    names: Names
    bot: Inquiry
    dry_run: bool = False
    detailed: bool = False
    match: Mapping[str, str] = field(default_factory=lambda: NO_GROUPS)

    def note(self, rule: str, reason: str) -> None:
        """Tell `relay explain` why a rule of this plugin did not match."""
        self.trace.note(self.plugin, rule, "no", reason)
