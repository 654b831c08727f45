"""What a person can do on the page, each by a name and the fields of a JSON object."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from itertools import count
from urllib.parse import urlsplit

from relay.simulator import demo_world
from relay.simulator.fault import Fault
from relay.simulator.settings import language_of
from relay.simulator.stage import Stage
from relay.simulator.view import View
from relay.simulator.world import World, WorldError

Body = dict[str, object]
Done = Mapping[str, object]
OK: Done = {"ok": True}


class Actions:
    """Everything that is asked of it is done at once, or refused with a ValueError and not done at all."""

    def __init__(self, stage: Stage, view: View) -> None:
        self._stage = stage
        self._view = view

    def table(self) -> dict[str, Callable[[Body], Done | None]]:
        """Give every action by its path under /sim."""
        return {
            "say": self._say,
            "callback": self._set_callback,
            "rooms": self._add_room,
            "contacts": self._add_contact,
            "accounts": self._add_account,
            "private": self._open_private,
            "members": self._move,
            "example": self._fill,
            "faults/add": self._add_fault,
            "faults/remove": lambda body: self._stage.faults.remove(_number(body)),
            "faults/clear": lambda _: self._stage.faults.clear(),
            "faults/release": self._release,
            "faults/tokens": lambda _: self._stage.tokens.expire_all(),
            "record/start": lambda _: self._stage.recorder.start(),
            "record/stop": lambda _: self._stage.recorder.stop(),
            "replay": self._replay,
            "replay/stop": lambda _: self._stage.player.stop(),
        }

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
        room = _room(body, world)
        contact = world.add_contact(_free_id("7881", 12, world.contacts), _text(body, "name"))
        if room:
            world.join(room, contact.wxid)

    def _add_account(self, body: Body) -> None:
        world = self._stage.world
        room = _room(body, world)
        account = world.add_account(_free_id("1688", 12, world.accounts), _text(body, "name"))
        if room:
            world.join(room, account.wxid)

    def _open_private(self, body: Body) -> None:
        account, contact = _text(body, "account"), _text(body, "contact")
        if account not in self._stage.world.accounts or not self._stage.world.reaches(account, contact):
            raise WorldError(f"{account} does not reach {contact}")
        self._view.open_private(account, contact)

    def _move(self, body: Body) -> None:
        room, member = _text(body, "room"), _text(body, "member")
        (self._stage.world.join if body.get("inside") else self._stage.world.leave)(room, member)

    def _fill(self, body: Body) -> None:
        demo_world.fill(self._stage.world, language_of(str(body.get("lang")), self._stage.settings.language))

    def _add_fault(self, body: Body) -> Done:
        return {"number": self._stage.faults.add(Fault.of(body)).number}

    def _release(self, body: Body) -> None:
        self._stage.faults.release(_number(body) if "number" in body else None)

    def _replay(self, body: Body) -> None:
        speed = body.get("speed", 1.0)
        if isinstance(speed, bool) or not isinstance(speed, int | float):
            raise ValueError("speed must be a number")
        self._stage.player.start(_text(body, "recording").encode("utf-8", "replace"), float(speed))


def _room(body: Body, world: World) -> str:
    """Give the room to join, "" for none; WorldError where it does not exist."""
    return world.room(_text(body, "room")).wxid if body.get("room") else ""


def _number(body: Body) -> int:
    number = body.get("number")
    if isinstance(number, bool) or not isinstance(number, int):
        raise ValueError("number is missing")
    return number


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} is missing")
    return value


def _free_id(prefix: str, digits: int, taken: Container[str]) -> str:
    numbers = (f"{prefix}{number:0{digits}d}" for number in count(1))
    return next(wxid for wxid in numbers if wxid not in taken)
