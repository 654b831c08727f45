"""A plugin on its bench: something happens, and what the plugin decides comes back as values.

It is the bot itself (door, database, router, pipeline) but for the sender: nothing that is decided goes out.
"""

from __future__ import annotations

import datetime as dt
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from relay.authoring.conversation import Conversation
from relay.authoring.outgoing import Outgoing, text
from relay.errors import PluginError
from relay.routing import loader
from relay.routing.loader import INIT
from relay.simulator.clockwork import START, ManualClock
from relay.simulator.entries import chat_entry, notification, to_json
from relay.store.states import DeliveryKind, DeliveryState, MessageState
from relay.store.values import NewDelivery, Routing
from relay.testing.bench_clock import BenchClock
from relay.testing.beside import plugin_file
from relay.testing.bot import SECRETS, Bot
from relay.testing.cast import ACCOUNT, ROOM, SENDER, Cast
from relay.testing.disk import Disk, Line
from relay.testing.judgement import Decisions, Judge
from relay.testing.memory import Memory
from relay.testing.own_loop import OwnLoop
from relay.testing.spelled import merged, toml
from relay.wire.crypto import encrypt
from relay.wire.notifications import read_notifications

COPY_PATIENCE = 5.0  # seconds that a message waits which another account should have heard
_ELSEWHERE = "R:10950000000000099"

Tables = Mapping[str, Any]


class Bench:
    """One plugin, with these settings and [chats], and nothing else of anybody's.

    `plugin` is a file, or a name that is looked for in the working folder and its `plugins/`. `bot_toml` is
    what else is to stand in bot.toml, other plugins in `[plugins] order` included; `now` the time at which
    it begins, in the bot's time zone. Raises `PluginError` or `ConfigurationError` where the plugin or its
    settings are refused. Close it, or use it in a `with`.
    """

    def __init__(
        self,
        plugin: str | Path,
        *,
        settings: Tables | None = None,
        chats: Mapping[str, str | Sequence[str]] | None = None,
        bot_toml: str = "",
        now: str | dt.datetime | None = None,
        beside: Path | None = None,
    ) -> None:
        """`beside` is the test file beside which the plugin is looked for."""
        self._file = plugin_file(plugin, beside)
        self._inside = self._file.parent if self._file.name == INIT else self._file
        self.name = self._inside.stem  #: the plugin's
        self._tables = tomllib.loads(bot_toml)
        self._settings, self._chats = settings or {}, chats or {}
        self._loop = OwnLoop()
        self._judge = Judge(lambda file: Path(file).is_relative_to(self._inside))
        self._said = 0
        self._disk: Disk | None = None
        manual = ManualClock(self._beginning(now))
        try:
            self._bot = Bot(self._toml(), accounts=(ACCOUNT,), clock=manual, witness=self._judge)
            self._disk = Disk(self._bot.config.database)
            self._cast = Cast(lambda: self._bot.config.chats)
            self.clock = BenchClock(manual, self._bot.config.bot.zone, self._wait)
            self._begin()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of files and of what the plugin left running."""
        if self._disk is not None:
            self._disk.close()
        if hasattr(self, "_bot"):
            self._loop.run(self._end())
            self._loop.run(self._bot.close())
        self._loop.close()

    # -- what it can be asked --------------------------------------------------

    @property
    def settings(self) -> BaseModel:
        """The plugin's settings as it sees them."""
        return self._loaded.settings

    @property
    def module(self) -> ModuleType:
        """The plugin's own module: its functions, to compare with or to call."""
        plugin = self._loaded.plugin
        return next(
            module
            for name, module in reversed(sys.modules.items())
            if name.startswith(f"relay_plugin_{self.name}_") and getattr(module, "plugin", None) is plugin
        )

    @property
    def state(self) -> Memory:
        """What the plugin remembers, as a mapping; what is written there it remembers, too."""
        return Memory(self._the_disk, self._bot.clock, self._cast, self.name)

    @property
    def conversations(self) -> list[Conversation]:
        """The plugin's questions that wait for an answer."""
        zone = self._bot.config.bot.zone
        return [
            Conversation(
                *(account, chat, sender, f"m{message}" if message else ""),
                *(dt.datetime.fromtimestamp(at / 1000, zone) for at in times),
            )
            for account, chat, sender, message, *times in self._the_disk.questions(self.name)
        ]

    @property
    def trace(self) -> str:
        """What every handler and rule said about what happened last, a line for each."""
        return "\n".join(_told(self._lines))

    def id(self, name: str) -> str:
        """The id behind the name of a person or chat."""
        return self._cast.person(name)

    # -- what can happen -------------------------------------------------------

    def say(
        self,
        what: str | Outgoing = "",
        *,
        sender: str = "",
        chat: str = "",
        private: bool = False,
        own: bool = False,
        late: bool = False,
        account: str = "",
        type: str = "",  # noqa: A002 - the word that messages have for it
        content: Mapping[str, object] | None = None,
    ) -> Decisions:
        """Let somebody say something, and return what the plugin decides; its errors are raised here.

        `what` is a text, or what `picture()` and the like build; `type` and `content` spell out any other
        message. `sender` is an id, or any name, which the bot then knows them by; `chat` an id or a name in
        [chats]; `private` is the sender's own chat. `own` is what staff type on our account's phone, `late`
        what was fetched after an outage.
        """
        __tracebackhide__ = True
        ours = account or ACCOUNT
        who = ours if own else self._person(sender or SENDER)
        where = who if private and not own else self._cast.chat(chat or ROOM)
        outgoing = text(what) if isinstance(what, str) else what
        said = Outgoing(type or outgoing.type, dict(outgoing.content if content is None else content))
        entry = self._entry(said, ours, who, where)
        return self._happen(self._hear("chatMsg", ours, entry, late=late))

    def event(
        self,
        type: str,  # noqa: A002 - the same
        content: Mapping[str, object] | None = None,
        *,
        account: str = "",
    ) -> Decisions:
        """Let the platform tell one of our accounts something else, and return what the plugin decides."""
        __tracebackhide__ = True
        return self._happen(self._hear(type, account or ACCOUNT, to_json(dict(content or {}))))

    def delivery(
        self,
        state: str,
        *,
        reason: str = "",
        target: str = "",
        kind: str = "send",
        plugin: str = "another",
    ) -> Decisions:
        """Let a delivery that another plugin decided come to this state, and return what the plugin decides.

        `target` is a chat; a `forward` is of a message that somebody says in another one.
        """
        __tracebackhide__ = True
        wanted = DeliveryState(state)
        body = text("…").body() if kind == "send" else None
        made = NewDelivery(
            self.name, "", 0, DeliveryKind(kind), ACCOUNT, self._cast.chat(target or ROOM), body
        )
        return self._happen(self._deliver(made, plugin, wanted, reason))

    def restart(self, *, settings: Tables | None = None, chats: Tables | None = None) -> Decisions:
        """End in good order, read the plugin's file again, and go on with what is on disk.

        With `settings` or `chats` these take the place of the old ones.
        """
        __tracebackhide__ = True
        self._settings = self._settings if settings is None else settings
        self._chats = self._chats if chats is None else chats
        self._loop.run(self._end())
        self._loop.run(self._bot.restart(self._toml()))
        return self._begin()

    # -- how it is done --------------------------------------------------------

    @property
    def _the_disk(self) -> Disk:
        assert self._disk is not None  # noqa: S101 - it is closed only with the bench
        return self._disk

    def _begin(self) -> Decisions:
        __tracebackhide__ = True
        self._loaded = next(each for each in self._bot.plugins if each.name == self.name)
        self._lines: list[Line] = []
        return self._happen(self._start())

    async def _start(self) -> None:
        """As the router does it first of all, but that what does not start is raised."""
        await self._bot.store.add_accounts((ACCOUNT,), "configured")
        if self._bot.router.occasions is not None:
            await self._bot.router.occasions.life.start(self._loaded)

    async def _end(self) -> None:
        if self._bot.router.occasions is not None:
            await self._bot.router.occasions.end()

    def _beginning(self, now: str | dt.datetime | None) -> int:
        if now is None:
            return START
        at = dt.datetime.fromisoformat(now) if isinstance(now, str) else now
        zone = ZoneInfo(self._tables.get("bot", {}).get("timezone", "Asia/Shanghai"))
        return round((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp() * 1000)

    def _toml(self) -> str:
        """The bot.toml in which of the plugin's folder only what the test names runs."""
        folder = self._inside.parent
        order = self._tables.get("plugins", {}).get("order", [])
        running = [*order, *([] if self.name in order else [self.name])]
        others = sorted(loader.names(folder) - set(running))
        mine = {
            "chats": self._chats,
            "plugins": {
                "folder": str(folder),
                "order": running,
                "disabled": others,
                self.name: self._settings,
            },
        }
        return toml(merged(self._tables, mine))  # type: ignore[arg-type] # tables of tables

    def _entry(self, said: Outgoing, account: str, who: str, where: str) -> bytes:
        """What the platform pushes when somebody says this."""
        self._said += 1
        number, in_room = str(self._said), where.startswith("R:")
        return chat_entry(
            svrid=number,
            wx_svrid=f"w{number}",
            wx_msgid=number,
            client_id=number,
            account=account,
            chat=where,
            is_room=in_room,
            sender=who,
            to=where if in_room or who == account else account,
            msg_type=said.type,
            content=to_json(said.content),
            time=self._bot.clock.now(),
            api_ids={},
            in_extra=False,
        )

    def _person(self, who: str) -> str:
        is_new = self._cast.is_new(who)
        wxid = self._cast.person(who)
        if is_new:
            self._loop.run(self._bot.store.write_names([(wxid, who)]))
        return wxid

    async def _hear(self, kind: str, account: str, entry: bytes, *, late: bool = False) -> None:
        """Let the platform push it, or find it in the platform's log."""
        whole = notification(kind, account, entry)
        if late:
            await self._bot.store.recover(read_notifications(whole).entries)
            return
        status = await self._bot.push(encrypt(whole, SECRETS["RELAY_AES_KEY"].encode()))
        assert status == 200, status  # noqa: S101 - the door takes whatever comes

    async def _deliver(self, made: NewDelivery, plugin: str, state: DeliveryState, reason: str) -> None:
        """Have a message that no plugin sees, a delivery of it, and what became of that."""
        store, now = self._bot.store, self._bot.clock.now()
        entry = self._entry(text("…"), ACCOUNT, SENDER, _ELSEWHERE)
        await store.ingest(read_notifications(notification("chatMsg", ACCOUNT, entry)).entries)
        [message], _ = await store.identify(1, int(self._bot.config.storage.remember))
        await store.claim([message.id])
        done = Routing(message.id, MessageState.ROUTED, None, (), (made,))
        assert await store.finish(done, int(self._bot.config.delivery.expire_after))  # noqa: S101 - it is ours
        await self._bot.router.drain()
        self._the_disk.become(message.id, plugin, state, reason, now)

    def _happen(self, something: Any) -> Decisions:  # noqa: ANN401, RUF100 - any coroutine
        __tracebackhide__ = True
        before = self._the_disk.place()
        self._loop.run(self._settle(something))
        self._lines = self._the_disk.lines(before)
        decisions = self._judge.told()
        for line in self._lines:
            if line.decision == "error":
                raise PluginError(": ".join(filter(None, (line.plugin, line.rule, line.reason))))
        return decisions

    async def _settle(self, something: Any) -> None:  # noqa: ANN401, RUF100 - any coroutine
        await something
        await self._bot.router.drain()
        if self._the_disk.waits():
            self._bot.clock.jump(COPY_PATIENCE)
            await self._bot.router.drain()

    def _wait(self, until: int) -> Decisions:
        __tracebackhide__ = True
        return self._happen(self._pass(until))

    async def _pass(self, until: int) -> None:
        """Let time pass, with a stop wherever something falls due."""
        clock, last = self._bot.clock, -1
        while (due := self._the_disk.next_due()) is not None and last < due <= until:
            last = due
            clock.jump(max(due - clock.now(), 0) / 1000)
            await self._bot.router.drain()
        clock.jump((until - clock.now()) / 1000)


def _told(lines: Sequence[Line]) -> list[str]:
    """Lines of a trace in columns."""
    widths = [max((len(line[at]) for line in lines), default=0) for at in range(3)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[3]]).rstrip()
        for line in lines
    ]
