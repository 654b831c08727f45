"""From the bytes of a body to decisions, and what must hold on the way whatever the bytes are."""

from __future__ import annotations

import asyncio
import json
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw
import hostile

from relay.authoring.message import Message
from relay.authoring.names import Names
from relay.authoring.state import StateBook
from relay.cli.screen import JOINERS, clean
from relay.config import load
from relay.errors import BodyError
from relay.roles import load_plugins
from relay.routing.pipeline import Memory, Pipeline
from relay.routing.received import message_of
from relay.simulator.clockwork import ManualClock
from relay.store.migrate import migrate
from relay.store.sqlite import guard, ingest, queries, routing, signals
from relay.store.states import DeliveryKind
from relay.store.values import StoredMessage
from relay.testing import BASE, SECRETS
from relay.wire.content import content_of, content_view, same_content, text_of
from relay.wire.crypto import encrypt, open_body
from relay.wire.entries import Entry, failure_reason
from relay.wire.notifications import Reading, read_entries, read_in_chunks, read_notifications
from relay.wire.requests import forward_body
from relay.wire.scalars import INT64_MAX, INT64_MIN
from relay.wire.spans import elements, members, rough_end, value_end

KEY = SECRETS["RELAY_AES_KEY"].encode()
NOW = 1_700_000_000_000
OBEYED = {"Cc", "Cf", "Cs"}  # categories of characters that terminals act on
BEFORE, AFTER = hostile.entry(svrid=b'"before"'), hostile.entry(svrid=b'"after"')
PLUGINS = """
[[plugins.group_mirror.routes]]
name = "all"
between = ["R:10950000000000001", "R:10950000000000002"]
[[plugins.group_mirror.routes]]
name = "told"
from = ["R:10950000000000001"]
to = ["R:10950000000000003"]
mode = "attributed"
contains = ["price"]
[[plugins.keyword_reply.rules]]
name = "words"
equals = ["price"]
prefix = ["pr"]
contains_all = ["a", "b"]
contains = ["\\u4f60"]
reply = "{sender} {chat} {account} {text} {date} {time}"
stop = false
[[plugins.keyword_reply.rules]]
name = "pattern"
regex = ["(?P<what>.+)e", "^$"]
reply = ["{what}", {type = "link", url = "https://x", title = "{text}"}]
"""


class Nobody:
    """A store of which nothing but names and memories is asked, and that knows none."""

    async def names(self, wxids: Sequence[str]) -> dict[str, str]:
        """Nobody has a name."""
        json.dumps(list(wxids), ensure_ascii=False).encode()
        return {}

    async def state(self, *_: str) -> None:
        """Nothing was remembered."""


def make_pipeline() -> Pipeline:
    """The shipped plugins, with rules and routes that look at everything."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bot.toml"
        path.write_text(BASE % "" + PLUGINS, "utf-8")
        config = load(path, SECRETS)
        loading = load_plugins(config)
    assert not loading.problems
    assert len(loading.loaded) == 2
    store: Any = Nobody()
    clock = ManualClock()
    memory = Memory(StateBook(store, clock), Names(store, clock, {}))
    return Pipeline(loading.loaded, clock, config.bot.zone, config.chats.resolve, memory)


class Receiving:
    """The receive path over a database in memory; `body` and `part` raise AssertionError where it fails."""

    def __init__(self) -> None:
        self._db = apsw.Connection(":memory:")
        migrate(self._db)
        self._pipeline = make_pipeline()
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        """Let go of the loop and the database."""
        self._loop.close()
        self._db.close()

    def body(self, body: bytes) -> None:
        """Whatever came as a callback's body."""
        for allow in (True, False):
            try:
                plaintext = open_body(body, KEY, allow_plaintext=allow)
            except BodyError as exc:
                _check_reason(exc, "empty", "plaintext_refused", "wire_form", "padding", "json")
            else:
                self.plaintext(plaintext)

    def plaintext(self, text: bytes) -> Reading:
        """Whatever was encrypted in one."""
        if text[:1] in (b"[", b"{"):
            assert open_body(encrypt(text, KEY), KEY, allow_plaintext=False) == text
        try:
            reading = read_notifications(text)
        except BodyError as exc:
            _check_reason(exc, "json")
            reading = Reading(())
        else:
            assert reading.entries or reading.damaged_count or _says_nothing(text)
            check_chunks(text, reading)
        self._check(text, reading)
        return reading

    def log(self, text: bytes) -> None:
        """Whatever the platform's log answered."""
        self._check(text, read_entries("chatMsg", "", text))

    def part(self, value: bytes, raw: bytes) -> None:
        """An entry `raw` around `value`, between two good ones that it must not harm."""
        reading = self.plaintext(hostile.envelope(BEFORE, raw, AFTER))
        if not _is_bracketed(value):
            return
        raws = [entry.raw for entry in reading.entries]
        assert raws in ([BEFORE, raw, AFTER], [BEFORE, AFTER])
        assert len(raws) + reading.damaged_count == 3
        assert (raw in raws) == (raw[:1] == b"{" and _is_json(raw))

    def _check(self, text: bytes, reading: Reading) -> None:
        assert len(reading.damaged) == min(reading.damaged_count, 16)
        assert all(damage.part in text for damage in reading.damaged)
        for entry in reading.entries:
            assert entry.raw in text
            if entry.raw not in (BEFORE, AFTER):
                check_entry(entry)
        self._db.execute("BEGIN")
        try:
            self._keep(reading.entries)
            self._route()
        finally:
            self._db.execute("ROLLBACK")

    def _rows(self) -> list[int]:
        counted = "SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM events)"
        return list(next(iter(self._db.execute(counted))))

    def _keep(self, entries: Sequence[Entry]) -> None:
        objects = [entry for entry in entries if entry.kind == "chatMsg" and entry.raw[:1] == b"{"]
        events = [entry for entry in entries if entry.kind != "chatMsg"]
        distinct = {(entry.account, ingest.dedupe_key(entry)) for entry in objects}
        accounts = [entry.account for entry in entries]
        kept = ingest.ingest(self._db, entries, accounts, NOW)
        assert kept == len(entries) - len(objects) + len(distinct)
        assert self._rows() == [len(distinct), len(events)]
        stored = {row[0] for row in self._db.execute("SELECT raw FROM messages")}
        assert stored <= {entry.raw for entry in objects}
        ingest.ingest(self._db, entries, accounts, NOW)
        assert self._rows() == [len(distinct), 2 * len(events)]

    def _route(self) -> None:
        for signal in signals.signals(self._db, (0, 0), 1000):
            failure_reason(signal.raw).encode()
            signals.forwards_without_echo(self._db, signal, 60_000)
        new, _ = guard.identify(self._db, 1000, NOW, 10**12, include_own=True)
        for claimed in routing.claim(self._db, [each.id for each in new]):
            if claimed.raw not in (BEFORE, AFTER):
                self._decide(claimed)
        for row in queries.messages(self._db, (), 0, 1000):
            json.dumps(row, ensure_ascii=False).encode()
            assert not OBEYED.intersection(map(unicodedata.category, shown(row)))

    def _decide(self, claimed: StoredMessage) -> None:
        message = message_of(claimed, self._pipeline.zone)
        check_message(message)
        decided = self._loop.run_until_complete(self._pipeline.run(claimed.id, message))
        self._pipeline.stored(decided)
        assert not [line for line in decided.trace if line.decision == "error"], decided.trace
        for delivery in decided.deliveries:
            if delivery.kind is DeliveryKind.SEND:
                assert delivery.body is not None
                json.loads(delivery.body)
        routing.finish(self._db, decided, 60_000, NOW)


def _check_reason(error: BodyError, *reasons: str) -> None:
    assert error.reason in reasons


def shown(row: queries.Row) -> str:
    """What a table on a terminal shows of a message."""
    cells = clean(" ".join(str(row[name]) for name in ("chat", "sender", "type", "text")))
    return cells.translate(dict.fromkeys(map(ord, JOINERS)))


def check_chunks(text: bytes, reading: Reading) -> None:
    """Read in chunks, it is the same."""
    chunks = list(read_in_chunks(text))
    assert tuple(entry for chunk in chunks for entry in chunk.entries) == reading.entries
    assert tuple(part for chunk in chunks for part in chunk.damaged) == reading.damaged
    assert sum(chunk.damaged_count for chunk in chunks) == reading.damaged_count


def check_entry(entry: Entry) -> None:
    """What was read of an entry can be stored, and its content passes byte for byte."""
    texts = [getattr(entry, name) for name in entry.__struct_fields__ if name not in ("raw", "time")]
    assert "\0" not in "".join(texts)
    "".join(texts).encode()
    assert INT64_MIN <= entry.time <= INT64_MAX
    assert entry.chat_type in ("", "room", "private")
    assert value_end(entry.raw) == len(entry.raw)
    failure_reason(entry.raw).encode()
    if entry.raw[:1] == b"{":
        check_content(entry)


def check_content(entry: Entry) -> None:
    """The bytes of `content` are those that a decoder would have taken, and a forward carries them."""
    spans = members(entry.raw)
    begin, end = spans.get("content", (0, 0))
    content = content_of(entry.raw)
    assert content == entry.raw[begin:end]
    body = forward_body(app_id="a", token="t", account="1", targets=["R:1"], entry=entry.raw)  # noqa: S106, RUF100
    assert value_end(body) == len(body)
    begin, end = members(body)["messages"]
    messages = body[begin:end]
    ((begin, end),) = elements(messages)
    message = messages[begin:end]
    carried = {name: message[a:b] for name, (a, b) in members(message).items()}
    names = ("msg_type", "content", "msg_time")
    assert carried == {name: entry.raw[slice(*spans[name])] for name in names if name in spans}
    assert same_content(content, content)
    for kind in (entry.type, "text", "announcement", "picture", "voice"):
        text_of(kind, content).encode()
        view = content_view(kind, content)
        json.dumps(view.model_dump(), ensure_ascii=False).encode()


def check_message(message: Message) -> None:
    """What plugins see of a message can be stored, logged and sent."""
    message.text.encode()
    assert "\0" not in message.text
    json.dumps(message.content.model_dump(), ensure_ascii=False).encode()


def _says_nothing(text: bytes) -> bool:
    """Whether there is nothing in it that could be kept: no notifications, or none with messages."""
    value = json.loads(text.decode("utf-8-sig", "replace"), strict=False, parse_int=str)
    told = value if isinstance(value, list) else [value]
    kinds = ("chatMsg", "chatMsgSendFail")
    return all(each["type"].strip() in kinds and each.get("data") in (None, []) for each in told)


def _is_bracketed(value: bytes) -> bool:
    try:
        return bool(value) and rough_end(value) == len(value)
    except ValueError:
        return False


def _is_json(raw: bytes) -> bool:
    try:
        return value_end(raw) == len(raw)
    except ValueError:
        return False


def read(receiving: Receiving, data: bytes) -> None:
    """One input of the fuzzer: its first byte says where the others stand."""
    if not data:
        return
    place, value = data[0], data[1:]
    if place % 8 == 0:
        receiving.body(value)
    elif place % 8 == 1:
        receiving.plaintext(value)
        receiving.log(value)
    elif place % 8 == 2:
        receiving.part(value, value)
    elif place % 8 == 3:
        receiving.part(value, hostile.entry(content=b'{"items":[{"type":"text","text":%b}]}' % value))
    elif place % 8 == 4:
        receiving.plaintext(hostile.envelope(BEFORE, hostile.entry(content=value), kind=b'"chatMsgSendFail"'))
    else:
        name = hostile.FIELDS[place // 8 % len(hostile.FIELDS)]
        receiving.part(value, hostile.entry(**{name: value}))
