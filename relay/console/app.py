"""The private door, put together."""

from __future__ import annotations

from pathlib import Path

import jinja2
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from relay.clock import Clock, SystemClock
from relay.config import Config
from relay.console import texts
from relay.console.api import Api
from relay.console.guard import Guard, Refusal
from relay.errors import RefusalError, StorageError
from relay.language import Language, Text
from relay.operator import Operator
from relay.report import Loading, Report, plugin_rows
from relay.store.protocol import Store

log = structlog.get_logger("relay.console")

HERE = Path(__file__).parent
NOT_FOUND = Refusal(404, texts.NOT_FOUND, texts.NOT_FOUND_HINT)
NOT_ALLOWED = Refusal(405, texts.NOT_ALLOWED)
STORAGE = Refusal(503, texts.STORAGE, texts.STORAGE_HINT)
CRASHED = Refusal(500, texts.CRASHED, texts.STORAGE_HINT)


def create_console(config: Config, store: Store, loading: Loading, clock: Clock | None = None) -> Starlette:
    """The private door as an ASGI app; `loading` is what became of the plugins."""
    language = config.bot.language
    report = Report(config, store, clock or SystemClock())
    api = Api(report, Operator(config, store), plugin_rows(config, loading), language)
    guard = Middleware(
        Guard,
        host=config.console.host,
        password=config.console.password.get_secret_value(),
        language=language,
    )
    answers = _Answers(language)
    return Starlette(
        routes=[
            _page(language),
            Mount("/static", StaticFiles(directory=HERE / "static")),
            *api.routes(),
        ],
        middleware=[guard],
        exception_handlers={
            HTTPException: answers.http,
            RefusalError: answers.refusal,
            StorageError: answers.storage,
            Exception: answers.crash,
        },
    )


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

    async def http(self, _: Request, exc: Exception) -> Response:
        """No such path, or a method that it does not know."""
        if not isinstance(exc, HTTPException) or exc.status_code != 405:
            return NOT_FOUND.response(self._language)
        allowed = (exc.headers or {}).get("Allow", "GET, HEAD")
        hint = Text(*(each.format(allowed=allowed) for each in texts.NOT_ALLOWED_HINT[:2]))
        return NOT_ALLOWED._replace(hint=hint, headers={"Allow": allowed}).response(self._language)

    async def refusal(self, _: Request, exc: Exception) -> Response:
        """A question that cannot be answered as asked."""
        assert isinstance(exc, RefusalError)  # noqa: S101 - registered for nothing else
        return JSONResponse(exc.told(self._language), 400)

    async def storage(self, _: Request, exc: Exception) -> Response:
        """A database that does not answer."""
        log.error("console_without_store", error=str(exc))
        return STORAGE.response(self._language)

    async def crash(self, _: Request, __: Exception) -> Response:
        """A mistake of ours; the server logs it."""
        return CRASHED.response(self._language)
