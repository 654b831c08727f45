"""The page where a person plays the customers: its own endpoints under /sim, apart from the platform's."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import cached_property
from pathlib import Path

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from relay.simulator import recording
from relay.simulator.actions import OK, Actions, Body, Done
from relay.simulator.feed import Feed
from relay.simulator.guard import Guard
from relay.simulator.settings import language_of
from relay.simulator.stage import Stage
from relay.simulator.texts import TEXTS
from relay.simulator.view import View

_HERE = Path(__file__).parent
_COOKIE = "relay_sim_lang"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
Answer = Callable[[Request], Awaitable[Response]]
MOST_BYTES = 2 * recording.MOST_BYTES  # a recording inside a JSON text is a bit longer than as a file


class Pages:
    """Serves the page and does what its buttons ask for."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._view = View(stage)
        self._feed = Feed(stage, self._view)
        self._guard = Guard((stage.settings.host, *stage.settings.allowed_hosts))

    def routes(self) -> list[BaseRoute]:
        """Give the routes; everything but the static files looks at who asks."""
        return [
            Route("/", self._guarded(self._page)),
            Route("/sim/state", self._guarded(self._state)),
            Route("/sim/events", self._guarded(self._events)),
            Route("/sim/faults", self._guarded(self._faults)),
            Route("/sim/recording", self._guarded(self._recording)),
            *(
                Route(f"/sim/{name}", self._guarded(self._acting(act)), methods=["POST"])
                for name, act in Actions(self._stage, self._view).table().items()
            ),
            Mount("/sim/static", StaticFiles(directory=_HERE / "static")),
        ]

    def close(self) -> None:
        """End the event streams."""
        self._feed.close()

    @cached_property
    def _template(self) -> jinja2.Template:
        loader = jinja2.FileSystemLoader(_HERE / "templates")
        return jinja2.Environment(loader=loader, autoescape=True).get_template("simulator.html")

    def _guarded(self, answer: Answer) -> Answer:
        async def guarded(request: Request) -> Response:
            objection = self._guard.objection(request)
            if objection is not None:
                return JSONResponse({"error": objection}, 403)
            response = await answer(request)
            response.headers.update(_HEADERS)
            return response

        return guarded

    def _acting(self, act: Callable[[Body], Done | None]) -> Answer:
        async def acting(request: Request) -> Response:
            try:
                done = act(await _read(request))
            except (ValueError, RecursionError) as exc:  # a WorldError is one too
                return JSONResponse({"error": str(exc)}, 400)
            self._feed.touch()
            return JSONResponse(done or OK)

        return acting

    async def _page(self, request: Request) -> Response:
        asked = request.query_params.get("lang")
        language = language_of(asked, request.cookies.get(_COOKIE), self._stage.settings.language)
        response = HTMLResponse(self._template.render(lang=language, texts=TEXTS[language]))
        if asked == language:
            response.set_cookie(_COOKIE, language, max_age=31_536_000, samesite="lax", httponly=True)
        return response

    async def _state(self, _: Request) -> Response:
        return JSONResponse(self._view.state())

    async def _events(self, _: Request) -> Response:
        return StreamingResponse(self._feed.events(), media_type="text/event-stream")

    async def _faults(self, _: Request) -> Response:
        return JSONResponse(self._view.faults())

    async def _recording(self, _: Request) -> Response:
        name = "attachment; filename=relay-session.jsonl"
        content = self._stage.recorder.content()
        return Response(content, headers={"Content-Disposition": name}, media_type="application/jsonl")


async def _read(request: Request) -> Body:
    """Read a JSON object, up to the size of any that is meant."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise ValueError(f"the body has more than {MOST_BYTES} bytes")
    value = json.loads(body)
    if not isinstance(value, dict):
        raise ValueError("the body is not an object")
    return value
