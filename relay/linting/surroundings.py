"""What the linter has to know of the rest of the configuration."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from relay.config import Config
from relay.config.complaints import MISSING, found_at
from relay.config.problems import Location, key_path, shown
from relay.errors import Problem
from relay.language import Said, Words, finished
from relay.linting import texts
from relay.linting.scopes import Those
from relay.linting.table import Table


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The settings as written, names of chats, which chats a plugin is for, and the pace of accounts."""

    written: Mapping[str, object] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)  #: of chats, by wxid
    switches: Mapping[str, Those] = field(default_factory=dict)  #: the chats of each plugin
    accounts: Sequence[str] = ()
    per_minute: int = 450
    observing: Collection[str] = ()  #: plugins of which nothing is done

    @classmethod
    def of(cls, config: Config) -> Self:
        """As this configuration has it."""
        single = {w[0]: name for name, w in reversed(list(config.chats.names.items())) if len(w) == 1}
        return cls(
            written=config.plugins.settings,
            names=single,
            switches={
                name: Those.of(switch.chats, switch.not_chats)
                for name, switch in config.plugins.switches.items()
            },
            accounts=config.platform.accounts,
            per_minute=config.delivery.per_minute,
            observing=config.plugins.observing,
        )

    def chat(self, wxid: str) -> str:
        """What bot.toml calls a chat."""
        return self.names.get(wxid, wxid)

    def drawn(self, *wxids: str) -> str:
        """A way from chat to chat."""
        return " → ".join(map(self.chat, wxids))

    def problem(self, table: Table, below: Location, message: Words, hint: Words | None = None) -> Problem:
        """The warning about this key of a table, with its value as written."""
        at = (*table.at, *below)
        value = found_at(self.written, at)
        path = key_path(("plugins", *at))
        told = None if value is MISSING or isinstance(value, dict) else shown(value, path)
        return Problem(path, finished(message), told, None if hint is None else finished(hint))


def called(table: Table) -> Said:
    """A rule or route as warnings name it: `rules[0] “price”`."""
    *_, listing, number = ("", "", *table.at)
    return texts.NAMED.filled(list=listing, number=number, name=table.name)
