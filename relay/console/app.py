"""The private door, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ExceptionHandler

from relay.clock import Clock, SystemClock
from relay.config import Config
from relay.console import inspections, metrics, texts
from relay.console.api import Api
from relay.console.bodies import LARGEST, BodyTooLargeError
from relay.console.credentials import Credentials
from relay.console.guard import Guard
from relay.console.inspections import Inspect, Inspections
from relay.console.refusals import CRASHED, NOT_ALLOWED, NOT_FOUND, STORAGE, TOO_LARGE, TOO_SLOW
from relay.console.rehearsals import Rehearsals, Rehearse, command
from relay.console.snapshot import snapshot
from relay.errors import RefusalError, StorageError
from relay.language import Language
from relay.operating.operator import Operator
from relay.operating.report import Loading, Report, plugin_rows
from relay.routing.marks import marks_of
from relay.store.protocol import Row, Store

log = structlog.get_logger("relay.console")

HERE = Path(__file__).parent


def create_console(
    config: Config,
    store: Store,
    loading: Loading | None = None,
    clock: Clock | None = None,
    rehearse: Rehearse | None = None,
) -> Starlette:
    """The private door as an ASGI app.

    `loading` is what became of the plugins, and `rehearse` tries a text; what is not given is found out in
    a process of its own.
    """
    language = config.bot.language
    clock = clock or SystemClock()
    report = Report(config, store, clock)
    rehearse = rehearse or Rehearsals(command(config.path), language)

    async def numbers() -> bytes:
        return metrics.written(await snapshot(store, clock))

    marks = partial(marks_of, config.path, config.plugins.folder)
    inspect = (
        _known(config, loading)
        if loading
        else Inspections(inspections.command(config.path), clock, marks=marks)
    )
    api = Api(report, Operator(config, store), inspect, language, config.chats, rehearse, numbers)
    return Starlette(
        routes=[
            _page(language),
            Mount("/static", StaticFiles(directory=HERE / "static")),
            *api.routes(),
        ],
        middleware=[_guard(config, clock)],
        exception_handlers=_Answers(language).handlers,
    )


def _guard(config: Config, clock: Clock) -> Middleware:
    return Middleware(
        Guard,
        host=config.console.host,
        credentials=Credentials(*_secrets(config)),
        language=config.bot.language,
        clock=clock,
    )


def _known(config: Config, loading: Loading) -> Inspect:
    rows = plugin_rows(config, loading)

    async def inspect() -> Sequence[Row]:
        return rows

    return inspect


def _secrets(config: Config) -> tuple[str, str]:
    console = config.console
    return console.password.get_secret_value(), console.metrics_token.get_secret_value()


def _page(language: Language) -> Route:
    loader = jinja2.FileSystemLoader(HERE / "templates")
    template = jinja2.Environment(loader=loader, autoescape=True).get_template("index.html")

    async def page(request: Request) -> Response:
        origin = f"{request.url.scheme}://{request.url.netloc}"
        return HTMLResponse(template.render(language=language, texts=texts, origin=origin))

    return Route("/", page)


class _Answers:
    """What is answered where something is wrong: JSON, in the bot's language."""

    def __init__(self, language: Language) -> None:
        self._language = language

    @property
    def handlers(self) -> Mapping[Any, ExceptionHandler]:
        """By what went wrong."""
        return {
            HTTPException: self.http,
            RefusalError: self.refusal,
            BodyTooLargeError: self.too_large,
            TimeoutError: self.too_slow,
            StorageError: self.storage,
            Exception: self.crash,
        }

    async def http(self, _: Request, exc: Exception) -> Response:
        """No such path, or a method that it does not know."""
        if not isinstance(exc, HTTPException) or exc.status_code != 405:
            return NOT_FOUND.response(self._language)
        allowed = (exc.headers or {}).get("Allow", "GET, HEAD")
        refusal = NOT_ALLOWED._replace(headers={"Allow": allowed})
        return refusal.response(self._language, allowed=allowed)

    async def refusal(self, _: Request, exc: Exception) -> Response:
        """A question that cannot be answered as asked."""
        assert isinstance(exc, RefusalError)  # noqa: S101 - registered for nothing else
        return JSONResponse(exc.told(self._language), 400)

    async def too_large(self, _: Request, __: Exception) -> Response:
        """A body that did not say how long it is."""
        return TOO_LARGE.response(self._language, most=LARGEST)

    async def too_slow(self, _: Request, __: Exception) -> Response:
        """A body that does not come."""
        return TOO_SLOW.response(self._language)

    async def storage(self, _: Request, exc: Exception) -> Response:
        """A database that does not answer."""
        log.error("console_without_store", error=str(exc))
        return STORAGE.response(self._language)

    async def crash(self, _: Request, __: Exception) -> Response:
        """A mistake of ours; the server logs it."""
        return CRASHED.response(self._language)
