"""A call's way in and out: what goes wrong on demand strikes here, before and after its effect."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from relay.simulator.answers import Refusal, accepted, refused
from relay.simulator.api import Api, Call
from relay.simulator.fault import Fault, Happening, Kind, Point
from relay.simulator.faults import Faults
from relay.simulator.hangup import Cut, can_hang_up, gone, hang_up
from relay.simulator.ledger import Ledger
from relay.simulator.pusher import Pusher

_PAGE = b"<!doctype html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1>"


@dataclass(frozen=True, slots=True)
class Told:
    """What the caller gets; `errcode` is None where it learns nothing."""

    app: ASGIApp
    errcode: int | None
    words: str


class Caller:
    """Whoever is at the other end; without a connection of its own nobody can be seen to leave."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self.can_leave = can_hang_up(scope)
        self.has_left = False

    async def leave(self) -> None:
        """Return when the caller has left."""
        await gone(self._receive)
        self.has_left = True


class Door:
    """One endpoint as ASGI."""

    def __init__(self, api: Api, path: str, faults: Faults, pusher: Pusher, ledger: Ledger) -> None:
        self._api = api
        self._path = path
        self._faults = faults
        self._pusher = pusher
        self._ledger = ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HttpRequest(scope, receive)
        body = await request.body()
        call = Call(self._path, request.method, dict(request.query_params), body)
        number = self._api.note(call)
        told = await self._serve(call, number, Caller(scope, receive))
        self._ledger.answer_request(number, told.errcode, told.words)
        await told.app(scope, receive, send)

    async def _serve(self, call: Call, number: int, caller: Caller) -> Told:
        what = call.happening(number)
        spoiled = await self._suffer(Point.BEFORE, what, caller, accepted())
        if spoiled is not None:
            return spoiled
        pushed, struck = self._ledger.pushes.total, self._ledger.strikes.total
        try:
            answer = self._api.execute(call, number)
        except Refusal as refusal:
            return _refused(refusal)
        self._ledger.take_effect(number)
        pushes = range(pushed, self._ledger.pushes.total)
        for strike in self._ledger.strikes.since(struck):
            if strike.kind == Kind.FAIL_FIRST:
                await self._push_first(strike.fault, pushes)
        spoiled = await self._suffer(Point.AFTER, what, caller, answer, pushes)
        return spoiled or Told(_json(answer), 0, "")

    async def _suffer(
        self, point: Point, what: Happening, caller: Caller, answer: bytes, pushes: range = range(0)
    ) -> Told | None:
        for number, fault in [(struck.number, struck.fault) for struck in self._faults.strike(point, what)]:
            if not fault.adds_up:
                return _instead(fault, answer)
            if fault.kind is Kind.ECHO_FIRST:
                await self._push_first(number, pushes)
            else:
                leave = caller.leave if fault.kind is Kind.HANG and caller.can_leave else None
                await self._faults.holds.wait(number, fault.seconds, until=leave)
            if self._faults.holds.closed or caller.has_left:
                return Told(hang_up, None, "closed")
        return None

    async def _push_first(self, fault: int, pushes: range) -> None:
        await self._faults.holds.wait(fault, 0, until=lambda: self._pusher.ended(pushes))


def doors(api: Api, faults: Faults, pusher: Pusher, ledger: Ledger) -> list[Mount | Route]:
    """Give the routes, at the root and again under /oapi as on newer contracts."""
    routes = [Route(path, Door(api, path, faults, pusher, ledger)) for path in api.paths]
    return [*routes, Mount("/oapi", routes=routes)]


def _instead(fault: Fault, answer: bytes) -> Told:
    """Give what the caller gets in place of an answer."""
    if fault.kind is Kind.EXPIRED_TOKEN:
        return _refused(Refusal(111, "access_token has expired"))
    if fault.kind is Kind.RATE_LIMIT:
        return _refused(Refusal(407, "over a rate limit"))
    if fault.kind is Kind.ERRCODE:
        return _refused(Refusal(fault.errcode, fault.message))
    if fault.kind is Kind.CUT:
        return Told(Cut(answer), None, "cut")
    if fault.kind is Kind.CLOSE:
        return Told(hang_up, None, "closed")
    status = fault.status if fault.kind is Kind.HTTP_STATUS else 200
    headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
    return Told(Response(_PAGE, status, headers, "text/html"), None, f"HTTP {status}, no JSON")


def _refused(refusal: Refusal) -> Told:
    return Told(_json(refused(refusal)), refusal.errcode, refusal.message)


def _json(answer: bytes) -> Response:
    return Response(answer, media_type="application/json")
