"""The JSON API: the same shapes as the commands'."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from relay.errors import RefusalError
from relay.questions import unknown_words
from relay.report import Report
from relay.store.protocol import Row


class Api:
    """Reads what an address asks for and hands it to the report."""

    def __init__(self, report: Report, plugins: Sequence[Row]) -> None:
        self._report = report
        self._plugins = plugins

    def routes(self) -> list[BaseRoute]:
        """The paths under /api/."""
        return [
            Route("/api/status", self._status),
            Route("/api/messages", self._messages),
            Route("/api/deliveries", self._deliveries),
        ]

    async def _status(self, request: Request) -> JSONResponse:
        _Asked(request, ())
        return JSONResponse(await self._report.status(self._plugins))

    async def _messages(self, request: Request) -> JSONResponse:
        asked = _Asked(request, ("chat", "since", "limit"))
        rows = await self._report.messages(
            chats=asked.every("chat"), since=asked.last("since"), limit=asked.last("limit")
        )
        return JSONResponse(rows)

    async def _deliveries(self, request: Request) -> JSONResponse:
        asked = _Asked(request, ("state", "chat", "message", "limit"))
        rows = await self._report.deliveries(
            states=asked.every("state"),
            chats=asked.every("chat"),
            message=asked.last("message"),
            limit=asked.last("limit"),
        )
        return JSONResponse(rows)


class _Asked:
    """The parameters of an address; an empty one asks for nothing, an unknown one raises `RefusalError`."""

    def __init__(self, request: Request, known: Sequence[str]) -> None:
        self._parameters = request.query_params
        refusal: RefusalError | None = unknown_words(self._parameters, known)
        if refusal is not None:
            raise refusal

    def every(self, name: str) -> list[str]:
        return [value for value in self._parameters.getlist(name) if value]

    def last(self, name: str) -> str | None:
        return self._parameters.get(name) or None
