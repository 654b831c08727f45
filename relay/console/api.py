"""The JSON API: the same shapes as the commands'."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from relay.config import Chats
from relay.console.bodies import read_body
from relay.console.inspections import Inspect
from relay.console.metrics import CONTENT_TYPE
from relay.console.openapi import document
from relay.console.operations import OPERATIONS
from relay.console.refusals import NO_LINE
from relay.console.rehearsals import Rehearse
from relay.errors import RefusalError
from relay.language import Language
from relay.operating.conversations import conversation_asked
from relay.operating.operator import DISCARD, RETRY, Operator, Wish
from relay.operating.questions import delivery_asked, line_asked, refuse_others, unknown_words
from relay.operating.report import NO_MESSAGE, NO_MESSAGE_HINT, Report
from relay.store.protocol import Row
from relay.wire.scalars import storable


class _Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /api/try`."""

    text: str
    chat: str
    sender: str
    account: str | None = None


_decode = msgspec.json.Decoder(_Wanted).decode


class Api:
    """Reads what an address asks for and hands it to the report."""

    def __init__(  # noqa: PLR0913, RUF100 - what the answers are made of
        self,
        report: Report,
        operator: Operator,
        inspect: Inspect,
        language: Language,
        chats: Chats,
        rehearse: Rehearse,
        numbers: Callable[[], Awaitable[bytes]],
    ) -> None:
        self._report = report
        self._operator = operator
        self._inspect = inspect
        self._language = language
        self._chats = chats
        self._rehearse = rehearse
        self._numbers = numbers
        self._document = document(chats)

    def routes(self) -> list[BaseRoute]:
        """A route for every operation of the table."""
        answers: Mapping[str, Callable[[Request], Awaitable[Response]]] = {
            "status": self._status,
            "messages": self._messages,
            "explain": self._explain,
            "deliveries": self._deliveries,
            "retry": self._retry,
            "discard": self._discard,
            "occasion": partial(self._one, self._report.occasion),
            "body": partial(self._one, self._report.body),
            "conversations": self._conversations,
            "cancel": self._cancel,
            "try": self._try,
            "metrics": self._metrics,
            "openapi": self._openapi,
        }
        return [Route(each.path, answers[each.name], methods=[each.method]) for each in OPERATIONS]

    async def _status(self, request: Request) -> JSONResponse:
        _Asked(request, ())
        return JSONResponse(await self._report.status(await self._inspect()))

    async def _openapi(self, request: Request) -> JSONResponse:
        _Asked(request, ())
        return JSONResponse(self._document)

    async def _metrics(self, request: Request) -> Response:
        _Asked(request, ())
        return Response(await self._numbers(), media_type=CONTENT_TYPE)

    async def _explain(self, request: Request) -> JSONResponse:
        """404 where there is no such message."""
        _Asked(request, ())
        word = request.path_params["id"]
        try:
            told = await self._report.explain(word)
        except RefusalError as exc:
            return JSONResponse(exc.told(self._language), 404)
        if told is None:
            return JSONResponse(
                RefusalError(NO_MESSAGE, NO_MESSAGE_HINT, {"id": word}).told(self._language), 404
            )
        return JSONResponse(told)

    async def _try(self, request: Request) -> Response:
        """What is asked is checked here; what comes of it is found out where plugins may run.

        404 where the account is none of ours.
        """
        _Asked(request, ())
        try:
            asked = _decode(await read_body(request))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return NO_LINE.response(self._language)
        line = line_asked(asked.text, asked.chat, asked.sender, asked.account or "", self._chats)
        try:
            refuse_others(line, await self._report.ours())
        except RefusalError as exc:
            return JSONResponse(exc.told(self._language), 404)
        return await self._rehearse(
            msgspec.json.encode({**msgspec.structs.asdict(asked), "account": asked.account or ""})
        )

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

    async def _one(self, tell: Callable[[str], Awaitable[Row | None]], request: Request) -> JSONResponse:
        """404 where there is no such one."""
        _Asked(request, ())
        word = request.path_params["id"]
        told = await tell(word)
        if told is None:
            refusal = RefusalError(NO_MESSAGE, NO_MESSAGE_HINT, {"id": storable(word)})
            return JSONResponse(refusal.told(self._language), 404)
        return JSONResponse(told)

    async def _conversations(self, request: Request) -> JSONResponse:
        asked = _Asked(request, ("chat",))
        return JSONResponse(await self._report.conversations(asked.every("chat")))

    async def _cancel(self, request: Request) -> JSONResponse:
        """404 where there is no such conversation any more."""
        _Asked(request, ())
        try:
            number = conversation_asked(request.path_params["id"])
        except RefusalError as exc:
            return JSONResponse(exc.told(self._language), 404)
        (outcome,) = await self._operator.cancel([number])
        return JSONResponse(outcome, 200 if outcome["done"] else 404)

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
