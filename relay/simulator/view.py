"""The simulator's state as the page is told it."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict

from relay.simulator.ledger import Message
from relay.simulator.shelf import ForgottenError
from relay.simulator.shown import shown
from relay.simulator.stage import Stage
from relay.simulator.world import place_of

PER_PLACE = 200
LOOK_BACK = 5000
LAST_STRIKES = 20


class View:
    """Reads the world and the ledger for people; private chats appear once somebody opened or used them."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._run = secrets.token_hex(8)  # tells a page that its messages are those of an earlier run
        self._opened: dict[str, tuple[str, str]] = {}

    def open_private(self, account: str, contact: str) -> None:
        """Let a private chat appear although nothing has been said in it."""
        self._opened[place_of(account, contact, is_room=False)] = (account, contact)

    def state(self) -> dict[str, object]:
        """Give everything that a page needs to start with."""
        return {
            "run": self._run,
            "places": self.places(),
            "people": self.people(),
            "status": self.status(),
            "messages": [self.message(number) for number in self._recent()],
        }

    def places(self) -> list[dict[str, object]]:
        """Give the conversations, rooms first."""
        world = self._stage.world
        rooms = [self._place(r.wxid, "room", r.name, r.members) for r in world.rooms.values()]
        return rooms + [
            self._place(place, "private", " · ".join(world.name(p) for p in pair), pair)
            for place, pair in self._private().items()
        ]

    def people(self) -> list[dict[str, object]]:
        """Give everybody, our accounts first."""
        world = self._stage.world
        return [self._person(wxid) for wxid in (*world.accounts, *world.contacts)]

    def status(self) -> dict[str, object]:
        """Give what the head of the page shows."""
        ledger, pusher = self._stage.ledger, self._stage.pusher
        last = ledger.last_push
        return {
            "callback_url": self._stage.callback_url,
            "last": last and {"state": last.state, "status": last.status, "ms": last.ms},
            "pushes": ledger.pushes.total,
            "timeouts": pusher.timeouts_today,
            "stopped": pusher.stopped,
            "requests": ledger.requests.total,
            "refusals": ledger.refusals,
            "last_refusal": self._last_refusal(),
            "faults": self.faults(),
            "session": self._session(),
        }

    def faults(self) -> dict[str, object]:
        """Give the faults that stand, how many calls wait by one, and what struck of late."""
        book = self._stage.faults
        return {
            "faults": [
                {"number": standing.number, "struck": standing.struck, **standing.fault.as_json()}
                for standing in book.standing()
            ],
            "held": len(book.holds),
            "strikes": [asdict(strike) for strike in self._stage.ledger.strikes[-LAST_STRIKES:]],
        }

    def _session(self) -> dict[str, object]:
        recorder, player = self._stage.recorder, self._stage.player
        return {
            "recording": recorder.is_running,
            "lines": recorder.lines,
            "replaying": player.is_running,
            "done": player.done,
            "total": player.total,
            "error": player.error,
        }

    def _last_refusal(self) -> dict[str, object] | None:
        refused = self._stage.ledger.last_refusal
        if refused is None:
            return None
        return {"path": refused.path, "errcode": refused.errcode, "message": refused.message}

    def message(self, number: int) -> dict[str, object]:
        """Give one message as it reads on the page."""
        message = self._stage.ledger.messages.numbered(number)
        return {
            "number": message.number,
            "place": message.place,
            "sender": message.sender,
            "name": self._stage.world.name(message.sender),
            "ours": message.sender in self._stage.world.accounts,
            "type": message.msg_type,
            "time": message.time,
            "shown": shown(message.msg_type, message.content),
            "via": message.cause and message.cause.kind,
            "origin": self._origin(message),
            "failed": message.failed,
            "revoked": message.revoked,
        }

    def _origin(self, message: Message) -> str | None:
        if message.cause is None or message.cause.source is None:
            return None
        try:
            source = self._stage.ledger.messages.numbered(message.cause.source)
        except ForgottenError:
            return None
        return self._stage.world.name(source.to if source.place == source.to else source.sender)

    def _recent(self) -> list[int]:
        seen: Counter[str] = Counter()
        numbers = []
        for message in reversed(self._stage.ledger.messages[-LOOK_BACK:]):
            seen[message.place] += 1
            if seen[message.place] <= PER_PLACE:
                numbers.append(message.number)
        return numbers[::-1]

    def _private(self) -> dict[str, tuple[str, str]]:
        rooms = self._stage.world.rooms
        used = {
            m.place: (m.sender, m.to)
            for m in self._stage.ledger.messages[-LOOK_BACK:]
            if m.place not in rooms
        }
        return {**self._opened, **{place: self._ours_first(pair) for place, pair in used.items()}}

    def _ours_first(self, pair: tuple[str, str]) -> tuple[str, str]:
        return pair if pair[0] in self._stage.world.accounts else (pair[1], pair[0])

    def _place(self, place: str, kind: str, name: str, members: Iterable[str]) -> dict[str, object]:
        return {"id": place, "kind": kind, "name": name, "members": [self._person(m) for m in members]}

    def _person(self, wxid: str) -> dict[str, object]:
        world = self._stage.world
        return {"id": wxid, "name": world.name(wxid), "ours": wxid in world.accounts}
