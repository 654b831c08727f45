"""One rule or route, where it stands and what it chooses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import isfunction

from pydantic import BaseModel

from relay.authoring.selection import Selection
from relay.config.plugins import models_in
from relay.config.problems import Location


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a plugin's settings that chooses messages; `at` begins with the plugin's name."""

    at: Location
    name: str
    selection: Selection

    @property
    def plugin(self) -> str:
        """Whose settings it is in."""
        return str(self.at[0])

    @property
    def listing(self) -> Location:
        """The list that it is in."""
        return self.at[:-1]

    def key(self, condition: str) -> str:
        """What the table calls this condition."""
        return self.selection.keys.get(condition, condition)

    @property
    def sources(self) -> tuple[str, ...]:
        """The chats it is for; none: all of them."""
        return tuple(chat for chat in self.selection.chats if chat not in self.selection.not_chats)


def tables_of(plugin: str, settings: BaseModel) -> Iterator[Table]:
    """Every table in these settings that gives a `selection()`, in the order written."""
    for place, model in models_in(settings, ()):
        if isfunction(choose := getattr(type(model), "selection", None)):
            selection = choose(model)
            if isinstance(selection, Selection):
                yield Table((plugin, *place), str(getattr(model, "name", "")), selection)
