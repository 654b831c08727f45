"""The page where a person plays the customers: its own endpoints under /sim, apart from the platform's."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Container
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from relay.simulator import demo_world
from relay.simulator.feed import Feed
from relay.simulator.guard import Guard
from relay.simulator.settings import Language
from relay.simulator.stage import Stage
from relay.simulator.texts import TEXTS
from relay.simulator.view import View
from relay.simulator.world import WorldError

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
Body = dict[str, object]


class Pages:
    """Serves the page and does what its buttons ask for."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._view = View(stage)
        self._feed = Feed(stage, self._view)
        self._guard = Guard((stage.settings.host, *stage.settings.allowed_hosts))

    def routes(self) -> list[BaseRoute]:
        """Give the routes; everything but the static files looks at who asks."""
        actions = {
            "say": self._say,
            "callback": self._set_callback,
            "rooms": self._add_room,
            "contacts": self._add_contact,
            "private": self._open_private,
            "members": self._move,
            "example": self._fill,
        }
        return [
            Route("/", self._guarded(self._page)),
            Route("/sim/state", self._guarded(self._state)),
            Route("/sim/events", self._guarded(self._events)),
            *(
                Route(f"/sim/{name}", self._guarded(self._acting(act)), methods=["POST"])
                for name, act in actions.items()
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

    def _acting(self, act: Callable[[Body], None]) -> Answer:
        async def acting(request: Request) -> Response:
            try:
                body = json.loads(await request.body())
                if not isinstance(body, dict):
                    raise ValueError("the body is not an object")
                act(body)
            except (ValueError, RecursionError) as exc:  # a WorldError is one too
                return JSONResponse({"error": str(exc)}, 400)
            self._feed.touch()
            return JSONResponse({"ok": True})

        return acting

    async def _page(self, request: Request) -> Response:
        asked = request.query_params.get("lang")
        language = _language(asked, request.cookies.get(_COOKIE), self._stage.settings.language)
        response = HTMLResponse(self._template.render(lang=language, texts=TEXTS[language]))
        if asked == language:
            response.set_cookie(_COOKIE, language, max_age=31_536_000, samesite="lax", httponly=True)
        return response

    async def _state(self, _: Request) -> Response:
        return JSONResponse(self._view.state())

    async def _events(self, _: Request) -> Response:
        return StreamingResponse(self._feed.events(), media_type="text/event-stream")

    def _say(self, body: Body) -> None:
        content = body.get("content")
        if not isinstance(content, dict):
            raise ValueError("content is missing")
        self._stage.post(_text(body, "chat"), _text(body, "sender"), _text(body, "msg_type"), content)

    def _set_callback(self, body: Body) -> None:
        url = body.get("url")
        if not url:
            self._stage.callback_url = None
            return
        parts = urlsplit(str(url))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the callback URL must begin with http:// or https://")
        self._stage.callback_url = str(url)

    def _add_room(self, body: Body) -> None:
        members = body.get("members")
        if not isinstance(members, list):
            raise ValueError("members is missing")
        world = self._stage.world
        wxid = _free_id("R:1095", 13, world.rooms)
        world.add_room(wxid, _text(body, "name"), [str(member) for member in members])

    def _add_contact(self, body: Body) -> None:
        world = self._stage.world
        contact = world.add_contact(_free_id("7881", 12, world.contacts), _text(body, "name"))
        if body.get("room"):
            world.join(_text(body, "room"), contact.wxid)

    def _open_private(self, body: Body) -> None:
        account, contact = _text(body, "account"), _text(body, "contact")
        if account not in self._stage.world.accounts or not self._stage.world.reaches(account, contact):
            raise WorldError(f"{account} does not reach {contact}")
        self._view.open_private(account, contact)

    def _move(self, body: Body) -> None:
        room, member = _text(body, "room"), _text(body, "member")
        (self._stage.world.join if body.get("inside") else self._stage.world.leave)(room, member)

    def _fill(self, body: Body) -> None:
        demo_world.fill(self._stage.world, _language(str(body.get("lang")), self._stage.settings.language))


def _language(*wanted: str | None) -> Language:
    return cast(Language, next((language for language in wanted if language in TEXTS), "zh"))


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} is missing")
    return value


def _free_id(prefix: str, digits: int, taken: Container[str]) -> str:
    numbers = (f"{prefix}{number:0{digits}d}" for number in count(1))
    return next(wxid for wxid in numbers if wxid not in taken)
