"""`relay replay`: what another configuration would have made of the messages that came."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.text import Text as Styled

from relay.cli import replay_texts, texts
from relay.cli.messages import message_id, message_text
from relay.cli.options import DEFAULT_CONFIG, Chats, ConfigPath, Ids, Json, Limit, configured
from relay.cli.screen import clean, print_json, screen
from relay.cli.tables import Column, View, names_in, print_table
from relay.cli.traces import reason
from relay.cli.understudy import Part, Understudy
from relay.clock import SystemClock
from relay.config import Config, load
from relay.config.environment import read_environment
from relay.errors import ConfigurationError, RefusalError
from relay.operating.questions import chats_asked, limit_asked, since_asked
from relay.operating.replay import TIMED_OUT, Comparison, Outcome, failures_told
from relay.operating.report import Report
from relay.roles import open_store
from relay.store.protocol import Row
from relay.store.values import Span, Wanted
from relay.wire.content import text_of

SINCE = "7d"

HELP = """What a configuration would make of messages that came. Nothing is sent, nothing is changed.

Every message goes through the plugins again, at its own time and in its order, with `ctx.dry_run` set and
over a copy of what plugins remember. `--against` compares the configuration that you have with another one,
both rehearsed; without it, what was decided then with the configuration as it is now. The bot may be running.
Questions that were asked in that time are answered or time out; events, ticks and changes of deliveries are
left out.

Examples:

- `relay replay --against new.toml` — what would change; `.env` and secrets are those of the bot
- `relay replay --against ../next --since 30d --chat east` — a folder with its own bot.toml and plugins
- `relay replay --since 2h` — is today's configuration what decided then?
- `relay replay --against new.toml --json` — for programs, with every difference
"""

Against = Annotated[
    Path | None,
    typer.Option("--against", metavar="PATH", help="Another bot.toml, or the folder of one."),
]
Since = Annotated[
    str, typer.Option("--since", metavar="WHEN", help="30m, 2h, 7d, or a date and time.", show_default=True)
]
Recorded = Annotated[
    bool, typer.Option("--recorded", help="Compare with what was decided then, also with --against.")
]
Told = Any
"""The answer; its shape is the contract's."""


def replay(
    config: ConfigPath = DEFAULT_CONFIG,
    against: Against = None,
    since: Since = SINCE,
    chat: Chats = None,
    limit: Limit = None,
    recorded: Recorded = False,
    ids: Ids = False,
    json: Json = False,
) -> None:
    """The command; `HELP` explains it."""
    with configured(config) as read:
        if not read.database.is_file():
            raise RefusalError(
                texts.NO_DATABASE, texts.NO_DATABASE_HINT, {"path": read.database}, exit_code=1
            )
        other = _other(read, against) if against else read
        wanted = Wanted(
            chats_asked(chat or [], read.chats),
            since_asked(since, SystemClock().now(), read.bot.zone),
        )
        most = None if json and limit is None else limit_asked(limit)
        told = _replayed(read, other, wanted, most, rehearsed=bool(against) and not recorded)
        if json:
            print_json(told)
        else:
            _show(read, other, told, ids=ids)


def _other(config: Config, path: Path) -> Config:
    """The configuration to compare with; its secrets are those of the bot, where it has none of its own."""
    file = path / "bot.toml" if path.is_dir() else path
    if not file.is_file():
        raise RefusalError(replay_texts.NO_AGAINST, replay_texts.NO_AGAINST_HINT, {"path": file})
    try:
        if (file.absolute().parent / ".env").exists():
            return load(file)
        return load(file, read_environment(config.folder, os.environ).variables)
    except ConfigurationError as exc:
        raise ConfigurationError(exc.problems, exc.language or config.bot.language) from exc


def _replayed(config: Config, other: Config, wanted: Wanted, most: int | None, *, rehearsed: bool) -> Row:
    """The answer, in the contract's shape."""
    comparison = Comparison(most, delays=rehearsed)
    with _both(config, other, rehearsed=rehearsed) as (before, after):
        own = _ready(other, before, after)
        wanted = Wanted(wanted.chats, wanted.since, own)
        span = asyncio.run(_span(config, wanted))
        failures = _compare(before, after, comparison, wanted, span, config)
    return {
        "messages": comparison.messages,
        "changed": comparison.changed,
        "compared": "rehearsed" if rehearsed else "recorded",
        "summary": comparison.summary(),
        "failures": {side: failures_told(counted) for side, counted in failures.items()},
        "differences": asyncio.run(_told(config, comparison.differences[::-1])),
    }


@contextlib.contextmanager
def _both(config: Config, other: Config, *, rehearsed: bool) -> Iterator[tuple[Understudy, Understudy]]:
    """Both sides, each in a process of its own; gone afterwards, whatever happens."""
    with contextlib.ExitStack() as stack:
        before = Understudy(config, config.database, recorded=not rehearsed)
        stack.callback(before.end)
        after = Understudy(other, config.database)
        stack.callback(after.end)
        try:
            yield before, after
        except KeyboardInterrupt:
            raise RefusalError(
                replay_texts.REPLAY_STOPPED, replay_texts.REPLAY_STOPPED_HINT, exit_code=1
            ) from None


def _ready(other: Config, before: Understudy, after: Understudy) -> bool:
    """Whether any plugin wants to see what our staff say; raises for what would not pass as a change."""
    old, new = before.ready(), after.ready()
    if new.problems:
        raise ConfigurationError(new.problems, other.bot.language)
    for name, error in new.failed:
        values = {"name": name, "error": error, "path": other.path}
        raise RefusalError(replay_texts.NOT_LOADED, replay_texts.NOT_LOADED_HINT, values)
    return old.own or new.own


async def _span(config: Config, wanted: Wanted) -> Span:
    store = open_store(config, SystemClock(), read_only=True)
    try:
        return await store.span(wanted)
    finally:
        store.close()


def _compare(  # noqa: PLR0913, RUF100 - both sides, and what of
    before: Understudy,
    after: Understudy,
    comparison: Comparison,
    wanted: Wanted,
    span: Span,
    config: Config,
) -> dict[str, Counter[tuple[str, str]]]:
    """Compare stretch by stretch, and tell how often handlers failed on either side."""
    for side in (before, after):
        side.begin(wanted, span)
    failures: dict[str, Counter[tuple[str, str]]] = {"before": Counter(), "after": Counter()}
    old, new = _Side(), _Side()
    console = screen(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(replay_texts.REPLAYING.said(config.bot.language), total=span.count)
        while not (old.done and new.done):
            for side, mine, name in ((before, old, "before"), (after, new, "after")):
                if not mine.done:
                    failures[name] += mine.take(side.part())
            both = sorted(old.ids & new.ids)
            comparison.add(both, old.give(both), new.give(both))
            progress.update(task, completed=comparison.messages)
    comparison.end(old.late, new.late)
    return failures


class _Side:
    """What one side has told and the other not yet: a message may be removed while they are at it."""

    def __init__(self) -> None:
        self.ids: set[int] = set()
        self.done = False
        self.late: list[Outcome] = []
        self._outcomes: dict[int, Outcome] = {}

    def take(self, part: Part) -> Counter[tuple[str, str]]:
        self.done = not part.ids
        self.late += part.late
        self.ids.update(part.ids)
        self._outcomes.update((each.message, each) for each in part.outcomes)
        return part.failures

    def give(self, ids: Sequence[int]) -> list[Outcome]:
        self.ids.difference_update(ids)
        found = [self._outcomes.pop(each, None) for each in ids]
        return [each for each in found if each is not None]


async def _told(config: Config, differences: list[Row]) -> list[Row]:
    """The differences with the messages that they are about."""
    store = open_store(config, SystemClock(), read_only=True)
    try:
        report = Report(config, store, SystemClock())
        numbers = [int(str(each["message_id"])[1:]) for each in differences]
        known = await report.received(numbers)
    finally:
        store.close()
    keys = ("chat", "chat_name", "sender", "sender_name", "type", "text", "own", "received_at")
    return [
        {
            "message_id": each["message_id"],
            "because": each["because"],
            "before": each["before"],
            "after": each["after"],
            **{key: row.get(key) for row in [known.get(str(each["message_id"]), {})] for key in keys},
        }
        for each in differences
    ]


# -- for people ----------------------------------------------------------------------


def _show(config: Config, other: Config, told: Told, *, ids: bool) -> None:
    console = screen()
    rows = [{**row, "id": row["message_id"]} for row in told["differences"]]
    view = View(config, SystemClock().now(), console.width, names_in(rows, ("chat", "sender")), ids=ids)
    rehearsed = told["compared"] == "rehearsed"
    before = config.path.name if rehearsed else view.said(replay_texts.THEN)
    after = other.path.name if other.path.parent == config.path.parent else os.path.relpath(other.path)
    count = f"{told['messages']:,}"
    heading = view.said(replay_texts.REPLAYED, before=clean(before), after=clean(after), count=count)
    console.print(Styled(heading, "bold"), soft_wrap=True)
    _show_summary(console, told, view)
    if rows:
        console.print()
        print_table(console, COLUMNS, rows, view)
    if len(rows) < told["changed"]:
        console.print(view.said(replay_texts.SHOWN_OF, shown=len(rows), count=told["changed"]), style="dim")
    console.print(
        view.said(replay_texts.REPLAY_ALIKE if rehearsed else replay_texts.REPLAY_THEN), style="dim"
    )
    console.print(view.said(replay_texts.REPLAY_WITHOUT), style="dim")


def _show_summary(console: Console, told: Told, view: View) -> None:
    if not told["changed"]:
        console.print(view.said(replay_texts.NOT_CHANGED))
    for (what, how), text in replay_texts.CHANGES.items():
        tally = told["summary"][what][how]
        if tally["messages"]:
            line = view.said(text, **tally, s="" if tally["chats"] == 1 else "s")
            console.print(Styled(f"  {line}", COLOURS[how]), soft_wrap=True)
    for each in told["failures"]["after"]:
        why = reason(each["reason"], view)
        said = view.said(
            replay_texts.REPLAY_FAILS, plugin=clean(each["plugin"]), messages=each["messages"], reason=why
        )
        console.print(Styled(f"  {said}", "red"), soft_wrap=True)


def _said(row: Row, view: View) -> Styled:
    """What was said, or that nobody answered what it led to."""
    text = message_text(row, view)
    if row["because"] != TIMED_OUT:
        return text
    return Styled(f"{view.said(replay_texts.NOBODY_ANSWERED)} ", "cyan").append_text(text)


def _before(row: Row, view: View) -> Styled:
    return _decisions(row, "before", view)


def _after(row: Row, view: View) -> Styled:
    return _decisions(row, "after", view)


def _decisions(row: Told, side: str, view: View) -> Styled:
    """What this side alone decides: by which rules, or where these are the same, in which words."""
    mine, others = _only(row, side), _only(row, _OTHER[side])
    if not mine and not others:  # the same decisions, in another order or number
        mine, others = row[side], row[_OTHER[side]]
    told = [_decision(each, view) for each in mine]
    if told == [_decision(each, view) for each in others]:
        told = [_words(each) or name for each, name in zip(mine, told, strict=True)]
    return Styled("; ".join(told) or view.said(replay_texts.NOTHING_DONE), "" if told else "dim")


def _only(row: Told, side: str) -> list[Told]:
    return [each for each in row[side] if each not in row[_OTHER[side]]]


_OTHER = {"before": "after", "after": "before"}


def _decision(decision: Told, view: View) -> str:
    kind = view.word(texts.KINDS, decision["kind"])
    rule = clean(decision["rule"] or decision["plugin"])
    count = len(decision["targets"])
    return (
        view.said(replay_texts.TO_CHATS, rule=rule, kind=kind, count=count) if count > 1 else f"{rule} {kind}"
    )


def _words(decision: Told) -> str:
    from json import dumps

    said = (text_of(str(each["msg_type"]), dumps(each["content"]).encode()) for each in decision["messages"])
    return clean(" / ".join(each for each in said if each))


COLOURS = {"more": "green", "fewer": "yellow", "differently": "cyan"}

COLUMNS = (
    Column(texts.ID, message_id),
    Column(texts.TIME, lambda row, view: view.when(row["received_at"]), from_width=60),
    Column(texts.CHAT, lambda row, view: view.who(row["chat"]), from_width=80),
    Column(texts.SENDER, lambda row, view: view.who(row["sender"]), from_width=100),
    Column(texts.TEXT, _said, share=2),
    Column(replay_texts.BEFORE, _before, share=1),
    Column(replay_texts.AFTERWARDS, _after, share=1),
)
