"""What commands and console tell, in the contract's shapes: status, messages, deliveries, plugins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from relay.clock import Clock
from relay.config import Config
from relay.errors import PluginError, Problem
from relay.language import Language, Text
from relay.log import Masking
from relay.operating.conversations import waiting
from relay.operating.diagnosis import Examiner
from relay.operating.questions import (
    LARGEST_ID,
    body_asked,
    chats_asked,
    limit_asked,
    message_asked,
    occasion_asked,
    since_asked,
    states_asked,
    svrid_asked,
)
from relay.operating.running import SILENT, as_they_run
from relay.receiving.sources import platform_list
from relay.routing import loader
from relay.routing.loader import Found, Loaded
from relay.sending.lanes import in_force
from relay.sending.patience import is_short, measured
from relay.store.protocol import Row, Store
from relay.store.sqlite.queries import rfc3339
from relay.store.states import LEFT
from relay.store.values import Figures

ANSWERS = {
    "late": "answers_late_total",
    "slow": "answers_slow_total",
    "before_durable": "acked_before_durable_total",
    "lost": "lost_total",
}
"""What is told of answers to callbacks, and where it is counted."""

MOST_LED_TO = 1_000  # calls of plugins because of one message that are told
MOST_EXPLAINED = 10_000  # deliveries of one message that are told
NO_MESSAGE = Text("没有消息 {id}", "there is no message {id}")
NO_MESSAGE_HINT = Text(
    "relay messages 列出收到的消息；也可以写平台的 svrid",
    "`relay messages` lists them; the platform's svrid will do, too",
)
REMOVED = Text("消息 {id} 收到过，已经清理掉了", "message {id} was received, and has been removed since")
REMOVED_HINT = Text(
    "了结的消息保留 storage.retain 那么久；relay forget 也会清理",
    "settled messages are kept for storage.retain; `relay forget` removes, too",
)
BODY_REMOVED = Text(
    "正文 {id} 当时读不出来；后来收下了，或者清理掉了",
    "body {id} could not be read; it was taken in since, or removed",
)
NO_BODY = Text("没有正文 {id}", "there is no body {id}")
NO_BODY_HINT = Text(
    "relay diagnose 列出读不出来的正文", "`relay diagnose` lists those that could not be read"
)
IDS = re.compile(r"R:\d+|(?<!\d)\d{10,}(?!\d)")
"""What looks like the id of a chat, a person or an account within a reason."""

DELIVERY = re.compile("d([0-9]{1,18})", re.IGNORECASE)
OURS = re.compile("(m?)([0-9]{1,19})", re.IGNORECASE)


class Loading(Protocol):
    """What became of the plugins, as `roles.load_plugins` tells it, or a census."""

    @property
    def loaded(self) -> Sequence[Loaded | Found]:
        """Those that run."""

    @property
    def failed(self) -> Sequence[tuple[Found, PluginError]]:
        """Those that do not, and why."""

    @property
    def problems(self) -> Sequence[Problem]:
        """What their settings got wrong."""


class Report:
    """Asks the store on behalf of people and programs; raises `RefusalError` where a question is wrong."""

    def __init__(self, config: Config, store: Store, clock: Clock) -> None:
        self._config = config
        self._store = store
        self._clock = clock

    async def status(self, plugins: Sequence[Row]) -> Row:
        """How the bot is: what waits, what became of deliveries, who is alive, which plugins run."""
        now = self._clock.now()
        counts = await self._store.counts()
        accounts = await self._store.accounts()
        figures, counters = await self._store.figures(), await self._store.counters()
        return {
            **counts,
            "processes": await self._store.processes(now - SILENT),
            "plugins": await as_they_run(plugins, self._store, self._clock),
            "observed": await self._store.observed(),
            "unreadable": await self._unreadable(),
            "accounts": accounts,
            "account_names": await self._names(accounts),
            "pauses": await self._pauses(now),
            "platform_ips": await self._platform_ips(),
            "echoes": await self._echoes(),
            "repairs": figures.repairs,
            "answers": {"late_today": figures.late_today} | _answers(counters),
            "oldest": _oldest(figures),
            "counters": counters,
        }

    async def _echoes(self) -> Row:
        """Within how many milliseconds 99 of 100 echoes come, and whether `resolve_within` is too short."""
        p99 = await measured(self._store)
        within = int(self._config.delivery.resolve_within)
        return {"p99_ms": p99, "resolve_within_ms": within, "short": is_short(within, p99)}

    async def _unreadable(self) -> Row:
        """How many bodies, or parts of them, could not be read, and when the last came that is still kept."""
        counted = await self._store.counters()
        last = next(iter(await self._store.damaged(1)), None)
        return {
            "count": sum(many for name, many in counted.items() if name.startswith("damaged_total:")),
            "last_at": None if last is None else rfc3339(last.received_at),
            "last_id": None if last is None else f"b{last.id}",
        }

    async def _platform_ips(self) -> Row:
        """Whether the platform's list decides who may post, and what it says; None while it is not known."""
        listed = await platform_list(self._store)
        return {
            "in_force": self._config.server.platform_ips,
            "addresses": None if listed is None else [str(each) for each in listed.networks],
            "fetched_at": None if listed is None else rfc3339(listed.at),
        }

    async def _pauses(self, now: int) -> list[Row]:
        return [
            {"account": pause.account, "until": rfc3339(pause.until), "reason": pause.reason}
            for pause in await self._store.pauses()
            if in_force(pause, now)
        ]

    async def ours(self) -> list[str]:
        """Our accounts: those that are configured, and those that were heard of."""
        return list(dict.fromkeys((*self._config.platform.accounts, *await self._store.accounts())))

    async def messages(
        self, *, chats: Sequence[str] = (), since: str | None = None, limit: str | int | None = None
    ) -> list[Row]:
        """Received messages, newest first, with names where they are known."""
        rows = await self._store.messages(
            chats=chats_asked(chats, self._config.chats),
            since=since_asked(since, self._clock.now(), self._config.bot.zone),
            limit=limit_asked(limit),
        )
        return await self._named(rows, ("account", "chat", "sender"))

    async def received(self, numbers: Sequence[int]) -> dict[str, Row]:
        """Those of these messages that are still kept, by their ids, with names where they are known."""
        found = [await self._store.message(number) for number in numbers]
        rows = await self._named([each for each in found if each], ("account", "chat", "sender"))
        return {str(row["id"]): row for row in rows}

    async def explain(self, word: str) -> Row | None:
        """A message by our id or its svrid, with trace and deliveries; None where there is no such one.

        A delivery's id means the message that it comes of.
        """
        of = DELIVERY.fullmatch(word.strip())
        number = (await self._store.cause(int(of[1])))[0] if of else await self._number(word)
        message = None if number is None else await self._store.message(number)
        if number is None or message is None:
            return None
        (told,) = await self._named([message], ("account", "chat", "sender"))
        trace = await self._store.trace(number)
        return told | {
            "trace": trace,
            "deliveries": await self._went_out(message=number),
            "occasions": (await self._store.occasions.occasions(message=number, limit=MOST_LED_TO))[::-1],
            **await self._store.circumstances(number),
            "names": await self.names_told(trace),
        }

    async def _went_out(self, *, message: int | None = None, occasion: int | None = None) -> list[Row]:
        """The deliveries that came of something, each with its requests."""
        found = await self._store.deliveries(message=message, occasion=occasion, limit=MOST_EXPLAINED)
        rows = await self._named(found[::-1], ("account", "target"))
        requests = await self._store.requests([int(str(row["id"])[1:]) for row in rows])
        return [row | {"requests": requests.get(str(row["id"]), [])} for row in rows]

    async def names_told(self, trace: Sequence[Row]) -> dict[str, str]:
        """What the people and chats in these reasons are called."""
        return await self._names(wxid for line in trace for wxid in IDS.findall(str(line["reason"])))

    async def removed(self, word: str) -> bool:
        """Whether there was such a message: it was settled, and removed since; or such a body."""
        body = body_asked(word)
        if body is not None:
            return await self._store.had_body(body)
        ours = OURS.fullmatch(word.strip())
        return await self._store.gone(ours[2] if ours else word.strip())

    async def occasion(self, word: str) -> Row | None:
        """What plugins were called for beside messages, by its id `o12`; None where there is no such one."""
        of = DELIVERY.fullmatch(word.strip())
        number = (await self._store.cause(int(of[1])))[1] if of else occasion_asked(word)
        told = None if number is None else await self._store.occasions.occasion(number)
        if told is None:
            return None
        (named,) = await self._named([told], ("account", "chat", "sender"))
        trace: Any = named["trace"]
        return named | {
            "deliveries": await self._went_out(occasion=number),
            "names": await self.names_told(trace),
        }

    async def body(self, word: str) -> Row | None:
        """What could not be read, by its id `b12`: when it came and why; None where none is kept.

        Nothing of what is in it.
        """
        number = body_asked(word)
        found = None if number is None else await Examiner(self._config, self._store).look(number)
        return None if found is None else {"kind": "body", **found.row(self._config.bot.language)}

    async def conversations(self, chats: Sequence[str] = ()) -> list[Row]:
        """Questions that wait for an answer, those first that end first."""
        rows = await waiting(self._config, self._store, chats)
        return await self._named(rows, ("account", "chat", "sender"))

    async def _number(self, word: str) -> int | None:
        """`m12` is ours alone; digits are a svrid where there is one, and otherwise ours too."""
        svrid = svrid_asked(word)
        ours = OURS.fullmatch(svrid)
        if ours is None or not ours[1]:
            known = await self._store.numbered(svrid)
            if known:
                return known[0]
        return int(ours[2]) if ours and int(ours[2]) <= LARGEST_ID else None

    async def deliveries(
        self,
        *,
        states: Sequence[str] = (),
        chats: Sequence[str] = (),
        message: str | None = None,
        limit: str | int | None = None,
    ) -> list[Row]:
        """Deliveries, newest first, with names where they are known; `chats` are targets."""
        rows = await self._store.deliveries(
            states=states_asked(states),
            chats=chats_asked(chats, self._config.chats),
            message=message_asked(message),
            limit=limit_asked(limit),
        )
        return await self._named(rows, ("account", "target"))

    async def _named(self, rows: Sequence[Row], keys: Sequence[str]) -> list[Row]:
        names = await self._names(str(row[key]) for row in rows for key in keys)
        return [row | {f"{key}_name": names.get(str(row[key])) for key in keys} for row in rows]

    async def _names(self, wxids: Iterable[str]) -> dict[str, str]:
        """What the platform calls them, otherwise bot.toml; nothing of those whom nobody has named."""
        asked = sorted(set(wxids))
        given = names_of(self._config.chats.names)
        known = await self._store.names(asked)
        return {wxid: name for wxid in asked if (name := known.get(wxid) or given.get(wxid))}


def names_of(chats: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The name of every wxid that a name in [chats] stands for alone; the first such name counts."""
    return {wxids[0]: name for name, wxids in reversed(list(chats.items())) if len(wxids) == 1}


def _answers(counters: Mapping[str, int]) -> Row:
    return {word: counters.get(name, 0) for word, name in ANSWERS.items()}


def _oldest(figures: Figures) -> Row:
    """Since when the first message waits, and the first delivery of each state that is to be left."""
    first = {"waiting": figures.waiting_since} | {str(state): figures.since.get(state) for state in LEFT}
    return {state: None if at is None else rfc3339(at) for state, at in first.items()}


def plugin_rows(config: Config, loading: Loading) -> list[Row]:
    """Every plugin with its state: `active`, `failed`, `disabled`; in the order in which they run."""
    masking, language = Masking(config.secrets()), config.bot.language
    rows = [_plugin(each.name, each.source, "active") for each in loading.loaded]
    for found, error in loading.failed:
        told: Row = {"message": masking.text(error.told(language)), "file": error.file, "line": error.line}
        rows.append(_plugin(found.name, found.source, "failed", told))
    known = {str(row["name"]) for row in rows}
    for name, source in _present(config).items():
        if name in config.plugins.disabled:
            rows.append(_plugin(name, source, "disabled"))
        elif name not in known:
            rows.append(
                _plugin(name, source, "failed", _settings_error(name, loading.problems, config.bot.language))
            )
    for row in rows:
        row["observe"] = row["name"] in config.plugins.observing
    place = {name: index for index, name in enumerate(config.plugins.order)}
    return sorted(rows, key=lambda row: (place.get(str(row["name"]), len(place)), str(row["name"])))


def _plugin(name: str, source: str, state: str, error: Row | None = None) -> Row:
    return {"name": name, "source": source, "state": state, "error": error}


def _settings_error(name: str, problems: Sequence[Problem], language: Language) -> Row:
    own = [problem for problem in problems if f"{problem.path}.".startswith(f"plugins.{name}.")]
    told = [problem.told(language) for problem in own or problems]
    return {"message": "; ".join(told), "file": None, "line": None}


def _present(config: Config) -> dict[str, str]:
    """Every plugin that has a file and is named or lies in the folder, with its source."""
    here = loader.find(config.plugins.folder, (), (), config.plugins.held)
    shipped = loader.shipped_folder()
    named = (*config.plugins.order, *config.plugins.disabled)
    sources = {name: "shipped" for name in named if (shipped / f"{name}.py").is_file()}
    return sources | {found.name: found.source for found in here}
