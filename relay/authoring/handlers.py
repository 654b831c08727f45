"""The functions that a plugin registers: each is held to what it will be called with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType
from typing import Any

from relay.config.problems import UnfitError
from relay.errors import PluginError
from relay.language import Text, Words

ARGUMENTS = Text(
    "{name}{signature} 必须能接收 ({takes})：{why}",
    "{name}{signature} must take ({takes}): {why}",
    "arguments",
)
WRITE = Text("写 `def {name}({takes}):`", "write `def {name}({takes}):`")
SWAPPED = Text("参数顺序反了", "they are the other way round", "arguments")
NO_FUNCTION = Text(
    "要装饰的必须是函数，却是 {kind}", "what is decorated must be a function, not {kind}", "arguments"
)
GENERATOR = Text(
    "{name} 里有 yield：处理函数要用 return 给出决定",
    "{name} has a yield in it: a handler returns what it decides",
    "arguments",
)
GENERATOR_HINT = Text("把决定放进列表，一起 return", "put the decisions into a list and return that")


@dataclass(frozen=True, slots=True)
class Handler:
    """A function of a plugin's, and where it stands."""

    name: str
    function: Callable[..., Any]
    is_async: bool
    file: str | None
    line: int | None

    @contextmanager
    def blaming(self) -> Iterator[None]:
        """An `UnfitError` in here is a `PluginError` about this handler, with its file and line."""
        try:
            yield
        except UnfitError as exc:
            raise self.error(exc.message, exc.hint) from exc

    def error(self, message: Words, hint: Words | None = None) -> PluginError:
        """The complaint about it."""
        return PluginError(message, self.file, self.line, hint)


def described(function: Callable[..., Any], takes: tuple[str, ...] = ("message", "ctx")) -> Handler:
    """The function as a handler that is called with these arguments.

    Raises `PluginError` with file and line where it cannot be.
    """
    if not callable(function):
        raise PluginError(NO_FUNCTION.filled(kind=type(function).__name__))
    whole, code = inspect.unwrap(function), _code(function)
    name = getattr(function, "__name__", None) or getattr(code, "co_name", None) or type(function).__name__
    handler = Handler(name, function, _is(inspect.iscoroutinefunction, function), *place(function))
    _check_arguments(handler, takes)
    if _is(inspect.isgeneratorfunction, whole) or _is(inspect.isasyncgenfunction, whole):
        raise handler.error(GENERATOR.filled(name=name), GENERATOR_HINT)
    return handler


def place(function: Callable[..., Any]) -> tuple[str | None, int | None]:
    """The file and the line at which it begins, where it tells."""
    code = _code(function)
    return (code.co_filename, code.co_firstlineno) if code else (None, None)


def _code(function: Callable[..., Any]) -> CodeType | None:
    whole = inspect.unwrap(function)
    return getattr(whole, "__code__", None) or getattr(getattr(whole, "func", None), "__code__", None)


def _is(kind: Callable[[Any], bool], function: Callable[..., Any]) -> bool:
    """Whether a function, or an object that is called like one, is of this kind."""
    return kind(function) or kind(getattr(function, "__call__", None))  # noqa: B004 - it is callable


def _check_arguments(handler: Handler, takes: tuple[str, ...]) -> None:
    """Raise where it cannot be called with these, or plainly has them the other way round."""
    try:
        signature = inspect.signature(handler.function)
    except (TypeError, ValueError):  # something built in, which does not tell
        return
    names, listed = [*signature.parameters], ", ".join(takes)
    about = {"name": handler.name, "signature": signature, "takes": listed}
    hint = WRITE.filled(name=handler.name, takes=listed)
    try:
        signature.bind(*takes)
    except TypeError as exc:
        raise handler.error(ARGUMENTS.filled(**about, why=exc), hint) from exc
    if len(takes) > 1 and tuple(names) == takes[::-1]:
        raise handler.error(ARGUMENTS.filled(**about, why=SWAPPED), hint)
