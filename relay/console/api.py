"""The JSON API: the same shapes as the commands'."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from relay.errors import RefusalError
from relay.language import Language
from relay.operator import DISCARD, RETRY, Operator, Wish
from relay.questions import delivery_asked, unknown_words
from relay.report import Report
from relay.store.protocol import Row


class Api:
    """Reads what an address asks for and hands it to the report."""

    def __init__(
        self, report: Report, operator: Operator, plugins: Sequence[Row], language: Language
    ) -> None:
        self._report = report
        self._operator = operator
        self._plugins = plugins
        self._language = language

    def routes(self) -> list[BaseRoute]:
        """The paths under /api/."""
        return [
            Route("/api/status", self._status),
            Route("/api/messages", self._messages),
            Route("/api/deliveries", self._deliveries),
            Route("/api/deliveries/{id}/retry", self._retry, methods=["POST"]),
            Route("/api/deliveries/{id}/discard", self._discard, methods=["POST"]),
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

    async def _retry(self, request: Request) -> JSONResponse:
        return await self._operate(request, RETRY)

    async def _discard(self, request: Request) -> JSONResponse:
        return await self._operate(request, DISCARD)

    async def _operate(self, request: Request, wish: Wish) -> JSONResponse:
        """200 where it was done, 404 where there is no such delivery, 409 where its state forbids it."""
        _Asked(request, ())
        try:
            number = delivery_asked(request.path_params["id"])
        except RefusalError as exc:
            return JSONResponse(exc.told(self._language), 404)
        (outcome,) = await self._operator.operate(wish, [number])
        status = 200 if outcome.refusal is None else 409 if outcome.before else 404
        return JSONResponse(outcome.row(self._language), status)


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
