"""Rows for people: in their time zone, with names for ids, as wide as the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from relay.cli import texts
from relay.cli.called import typeable
from relay.cli.screen import clean, screen
from relay.clock import SystemClock
from relay.config import Config
from relay.language import Language, Text
from relay.operating.report import names_of
from relay.store.protocol import Row

ROOMY = 120
"""From this width on, there is room for ids."""

WIDEST, NARROWEST = 26, 18
"""Cells for somebody's name, with and without room."""

COLOURS = {
    "waiting": "yellow",
    "routed": "green",
    "skipped": "dim",
    "set_aside": "bold red",
    "queued": "cyan",
    "sending": "cyan",
    "accepted": "green",
    "delivered": "green",
    "unknown": "yellow",
    "held": "bold yellow",
    "failed": "bold red",
    "expired": "magenta",
    "discarded": "dim",
    "active": "green",
    "disabled": "dim",
    "parked": "yellow",
}


class View:
    """How this operator sees things: language, time zone, names for chats, and room for it."""

    def __init__(
        self,
        config: Config,
        now: int,
        width: int,
        names: Mapping[str, str] = MappingProxyType({}),
        *,
        ids: bool = False,
    ) -> None:
        """`names` are those that people and chats are known by; `ids` asks for their ids instead."""
        self.language: Language = config.bot.language
        self.width = width
        self._zone = config.bot.zone
        self._today = datetime.fromtimestamp(now / 1000, self._zone).date()
        self._names = names
        self._ids = ids
        self._given = names_of(config.chats.names)
        self._shared = {name for name, count in Counter(names.values()).items() if count > 1}

    @property
    def zone(self) -> ZoneInfo:
        """The bot's time zone."""
        return self._zone

    def said(self, text: Text, **values: object) -> str:
        """A text in the bot's language."""
        return typeable(text.said(self.language, **values))

    def word(self, texts: Mapping[str, Text], key: object) -> str:
        """The name for people of a state, a kind or the like; itself where it has none."""
        text = texts.get(str(key))
        return self.said(text) if text else clean(str(key or ""))

    def who(self, wxid: object) -> Styled:
        """The name of a chat or person, where there is room with the id; the id where no name is known.

        Where several share a name, what bot.toml calls each, or its id, is always beside it.
        """
        found = clean(str(wxid or ""))
        name = clean(self._names.get(found, ""))
        roomy = self.width >= ROOMY
        if self._ids or not name:
            return Styled(found if roomy or self._ids else shortened(found))
        apart = self._given.get(found, name)
        beside = clean(apart) if apart != name else shortened(found) if roomy else f"…{found[-4:]}"
        if not roomy and name not in self._shared:
            beside = ""
        told = Styled(name)
        told.truncate(max(6, (WIDEST if roomy else NARROWEST) - cell_len(beside)), overflow="ellipsis")
        return told.append(f" {beside}" if beside else "", "dim")

    def moment(self, moment: object) -> str:
        """A time of the contract's shape to the second, where there is room."""
        try:
            at = datetime.fromisoformat(str(moment)).astimezone(self._zone)
        except (ValueError, OverflowError):
            return ""
        return at.strftime("%Y-%m-%d %H:%M:%S")

    def when(self, moment: object) -> str:
        """A time of the contract's shape, as short as it can be told apart."""
        try:
            at = datetime.fromisoformat(str(moment)).astimezone(self._zone)
        except (ValueError, OverflowError):
            return ""
        if at.date() == self._today:
            return at.strftime("%H:%M:%S")
        return at.strftime("%m-%d %H:%M" if at.year == self._today.year else "%Y-%m-%d")


def names_in(rows: Sequence[Row], keys: Sequence[str]) -> dict[str, str]:
    """Every name that rows bring with them, by the id that it belongs to."""
    return {str(row[key]): str(row[f"{key}_name"]) for row in rows for key in keys if row[f"{key}_name"]}


def shortened(wxid: str) -> str:
    """A long id with its middle left out: `R:1095…0001`."""
    kept = 6 if wxid.startswith("R:") else 4
    return wxid if len(wxid) <= kept + 5 else f"{wxid[:kept]}…{wxid[-4:]}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: from what screen width on it is shown, and its share of what room is left."""

    header: Text
    cell: Callable[[Row, View], str | Styled]
    from_width: int = 0
    share: int = 0
    right: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """How a command lists rows: its columns, whose names it needs, and its words."""

    columns: Sequence[Column]
    named: Sequence[str]
    shown: Text
    none: Text
    none_yet: Text


def print_listing(
    config: Config, listing: Listing, rows: Sequence[Row], given: Sequence[str], *, ids: bool
) -> None:
    """Print these rows, newest first; `given` are the options by which they were chosen."""
    console = screen()
    view = View(config, SystemClock().now(), console.width, names_in(rows, listing.named), ids=ids)
    if rows:
        print_table(console, listing.columns, rows, view)
        console.print(view.said(listing.shown, count=len(rows), zone=view.zone.key), style="dim")
        return
    console.print(view.said(listing.none))
    hint = texts.NONE_FOUND_HINT if given else listing.none_yet
    console.print(view.said(hint, given=", ".join(given)), style="dim")


def print_table(
    console: Console, columns: Sequence[Column], rows: Sequence[Row], view: View, *, whole: bool = False
) -> None:
    """Print the columns that have room and something to say; what is too long ends with an ellipsis.

    `whole`: in columns that share the room it goes on in the next line instead.
    """
    told = {
        column: [_styled(column.cell(row, view)) for row in rows]
        for column in columns
        if console.width >= column.from_width
    }
    shown = {column: cells for column, cells in told.items() if any(cell.plain for cell in cells)}
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        expand=any(column.share for column in shown),
        header_style="bold",
        border_style="dim",
    )
    for column in shown:
        table.add_column(
            Styled(view.said(column.header)),
            no_wrap=not (whole and column.share),
            overflow="fold" if whole and column.share else "ellipsis",
            ratio=column.share or None,
            justify="right" if column.right else "left",
        )
    for cells in zip(*shown.values(), strict=True):
        table.add_row(*cells)
    console.print(table)


def _styled(cell: str | Styled) -> Styled:
    return cell if isinstance(cell, Styled) else Styled(cell)


def coloured(key: object, shown: str) -> Styled:
    """A state in its colour."""
    return Styled(shown, COLOURS.get(str(key), ""))
