"""Logs: a fixed event name plus fields, as JSON lines or for the eye, and never with a secret in them."""

from __future__ import annotations

import contextlib
import json as jsonlib
import logging
import re
import sys
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, TextIO
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

MASK = "***"
SHORTEST_SECRET = 4
"""Masking anything shorter would eat letters out of ordinary words."""

FOREIGN = ("uvicorn", "uvicorn.error", "uvicorn.access", "aiohttp", "asyncio")
"""Libraries that bring handlers or levels of their own."""


def configure(
    level: str, *, colour: bool, secrets: Iterable[str], json: bool, stream: TextIO | None = None
) -> None:
    """Send every log of this process, the libraries' included, through one chain to `stream` (stderr).

    `json` writes one object on a line, otherwise lines for people, in `colour` or not; `secrets` are masked.
    """
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(_formatter(Masking(secrets), colour=colour, json=json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in FOREIGN:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    sys.excepthook = _log_crash


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.filter_by_level,
        *_stamps(),
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]


def _stamps() -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]


def _formatter(masking: Masking, *, colour: bool, json: bool) -> structlog.stdlib.ProcessorFormatter:
    render: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if not json:
        render = structlog.dev.ConsoleRenderer(
            colors=colour, timestamp_key="time", exception_formatter=structlog.dev.plain_traceback
        )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.contextvars.merge_contextvars, *_stamps()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            masking,
            render,
        ],
    )


class Masking:
    """Replaces every secret, bare or escaped, in names, values and tracebacks; rendering comes next."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if len(secret) >= SHORTEST_SECRET for form in _forms(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
        return {self.text(key): self._value(value) for key, value in event.items()}

    def text(self, text: str) -> str:
        """The text with its secrets replaced by `***`."""
        return self._pattern.sub(MASK, text)

    def _value(self, value: object) -> object:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return self._number(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._value(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(item) for item in value]
        return self.text(value if isinstance(value, str) else repr(value))

    def _number(self, value: float) -> object:
        masked = self.text(str(value))
        return masked if MASK in masked else value


def _forms(secret: str) -> set[str]:
    """The ways in which a secret may be spelt in a log: bare, and as repr, JSON and URLs escape it."""
    escaped = {repr(secret)[1:-1], jsonlib.dumps(secret)[1:-1], quote(secret), quote(secret, safe="")}
    return {secret, jsonlib.dumps(secret, ensure_ascii=False)[1:-1], *escaped}


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to the stream; what cannot be written as a log is told of without its contents.

    A stream that takes nothing, as on a full disk, ends nobody: who logs has other work to do.
    """

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- logging's own name
        line = {"event": "log_record_lost", "level": "error", "logger": record.name, "line": record.lineno}
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(jsonlib.dumps(line) + "\n")


def _log_crash(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Log what nobody caught, so that a secret in its message is masked as well."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    log: Any = structlog.get_logger("relay")
    log.critical("crashed", exc_info=(kind, error, traceback))
