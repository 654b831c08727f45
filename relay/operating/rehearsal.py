"""What the bot would do: the live pipeline and plugins, over a copy of their memory; nothing is sent."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from relay.authoring.message import Message
from relay.authoring.names import Names
from relay.clock import Clock
from relay.config import Config
from relay.errors import PluginError
from relay.log import Masking
from relay.operating.questions import Line, refuse_others
from relay.operating.report import Report, names_of
from relay.routing.loader import Found
from relay.routing.pipeline import Pipeline
from relay.store.protocol import Row
from relay.store.sqlite.rehearsing import RehearsedStore
from relay.store.values import NewDelivery, Routing, TraceLine
from relay.wire.entries import PRIVATE, ROOM

NUMBER = 0
"""No message that was received has this one."""

Failed = Sequence[tuple[Found, PluginError]]


class Rehearsal:
    """Takes messages through the pipeline and tells decisions and trace, in the contract's shape."""

    def __init__(
        self, config: Config, store: RehearsedStore, pipeline: Pipeline, clock: Clock, failed: Failed = ()
    ) -> None:
        """`failed` are plugins that did not load, and so have no say."""
        self._config = config
        self._store = store
        self._pipeline = pipeline
        self._clock = clock
        self._failed = failed

    async def say(self, line: Line) -> Row:
        """What would happen if somebody said this now; `RefusalError` where no account of ours would hear."""
        ours = await Report(self._config, self._store, self._clock).ours()
        refuse_others(line, ours)
        acting = await self._store.acting(line.chat)
        account = line.account or acting or next(iter(ours), "")
        return await self.of(self._message(line, account, own=line.sender in ours))

    async def of(self, message: Message) -> Row:
        """What would happen if this message was received now, after those that were rehearsed before it."""
        routing = await self._pipeline.run(NUMBER, message, dry_run=True)
        await self._store.remember(routing)
        self._pipeline.stored(routing)
        decisions = decisions_of(routing.deliveries)
        trace = [asdict(each) for each in (*self._not_loaded(), *routing.trace)]
        return {
            "decisions": decisions,
            "trace": trace,
            "message": _told(message),
            "names": await self._names(message, routing),
        }

    async def again(self, message: Message, number: int) -> list[Row]:
        """What every rule says of a message that was received, however many rules there are."""
        routing = await self._pipeline.run(number, message, dry_run=True, detailed=True)
        await self._store.remember(routing)
        self._pipeline.stored(routing)
        return [asdict(each) for each in (*self._not_loaded(), *routing.trace)]

    def _message(self, line: Line, account: str, *, own: bool) -> Message:
        now = dt.datetime.fromtimestamp(self._clock.now() / 1000, self._config.bot.zone)
        chat_type = ROOM if line.chat.startswith("R:") else PRIVATE
        return Message(
            id=f"m{NUMBER}",
            svrid="",
            account=account,
            chat=line.chat,
            chat_type=chat_type,
            sender=line.sender,
            type="text",
            time=now,
            raw=_entry(line, account, chat_type, self._clock.now()),
            own=own,
        )

    def _not_loaded(self) -> Iterable[TraceLine]:
        masking = Masking(self._config.secrets())
        for found, error in self._failed:
            yield TraceLine(found.name, "", "error", f"did not load: {masking.text(str(error))}", 0.0)

    async def _names(self, message: Message, routing: Routing) -> dict[str, str]:
        """What the people and chats in the answer are called, as far as anybody knows."""
        deliveries = routing.deliveries
        asked = {message.account, message.chat, message.sender}
        asked.update(*((each.account, each.target) for each in deliveries))
        names = Names(self._store, self._clock, names_of(self._config.chats.names))
        await names.learn(sorted(asked))
        return {wxid: name for wxid in sorted(asked) if (name := names.of(wxid)) != wxid}


@dataclass(frozen=True, slots=True)
class _Group:
    """What deliveries have in common that differ in their targets only."""

    plugin: str
    rule: str
    kind: str
    account: str


def decisions_of(deliveries: Iterable[NewDelivery]) -> list[Row]:
    """Deliveries as somebody reads them: one row for all the targets that get the same."""
    parts: dict[_Group, dict[str, list[NewDelivery]]] = {}
    for each in deliveries:
        group = _Group(each.plugin, each.rule, str(each.kind), each.account)
        parts.setdefault(group, {}).setdefault(each.target, []).append(each)
    return [row for group, targets in parts.items() for row in _rows(group, targets)]


def _rows(group: _Group, targets: dict[str, list[NewDelivery]]) -> Iterable[Row]:
    same: dict[tuple[tuple[bytes | None, int], ...], list[str]] = {}
    for target, got in targets.items():
        same.setdefault(tuple((each.body, each.delay) for each in got), []).append(target)
    for parts, reached in same.items():
        messages = [_sent(body, delay) for body, delay in parts if body is not None]
        yield {**asdict(group), "targets": reached, "messages": messages}


def _sent(body: bytes, delay: int) -> Row:
    """A message as the platform would get it, with the seconds that it waits before."""
    sent: Row = json.loads(body)
    return sent | ({"delay": delay / 1000} if delay else {})


def _told(message: Message) -> Row:
    return {
        "account": message.account,
        "chat": message.chat,
        "chat_type": message.chat_type,
        "sender": message.sender,
        "text": message.text,
        "own": message.own,
    }


def _entry(line: Line, account: str, chat_type: str, now: int) -> bytes:
    """The entry that the platform would push."""
    return json.dumps(
        {
            "wxid": account,
            "chat_wxid": line.chat,
            "chat_type": 2 if chat_type == ROOM else 1,
            "from_wxid": line.sender,
            "msg_type": "text",
            "content": {"items": [{"type": "text", "text": line.text}]},
            "msg_time": now,
        },
        ensure_ascii=False,
    ).encode("utf-8")
