"""The names that people give to chats."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from relay.config import texts
from relay.config.problems import UnfitError, did_you_mean, key_path, mistaken, shown
from relay.errors import Problem

CHAT_ID = re.compile(r"R:\S+|[0-9]{6,}|w[bmow][\w-]{8,}")
"""What is taken for an id where no name fits: `R:…`, six digits or more, or WeCom's `ww… wm… wo… wb…`."""

GUESSES = 50
"""For how many unknown chats the nearest name is looked for: among thousands that takes its time."""


@dataclass(frozen=True, slots=True)
class Chats:
    """`[chats]`, flattened: every name with the wxids that it stands for."""

    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)  #: ids by their keys

    def resolve(self, name: str) -> tuple[str, ...]:
        """The wxids behind a name, in the order written, each once; an id is itself, but a name wins.

        Raises `ValueError` (with a `hint`) for what is neither.
        """
        if name in self.names:
            return self.names[name]
        if is_chat_id(name):
            return (name,)
        raise unknown(name, self.names)


def is_chat_id(text: str) -> bool:
    """Whether this looks like one of the platform's ids."""
    return CHAT_ID.fullmatch(text) is not None


def unknown(name: str, names: Iterable[str]) -> UnfitError:
    """The complaint about a chat that nobody named."""
    hint = did_you_mean(name, names) or texts.UNKNOWN_CHAT_HINT
    return UnfitError(texts.UNKNOWN_CHAT.filled(name=name), hint)


def read_chats(raw: object) -> tuple[Chats, list[Problem]]:
    """`[chats]` and everything that is wrong with it."""
    if not isinstance(raw, dict):
        return Chats(), [Problem("chats", mistaken(texts.TABLE, raw).message, shown(raw, "chats"))]
    problems: list[Problem] = []
    entries = {name: _entries(name, value, problems) for name, value in raw.items()}
    graph = {name: [e for e in items.values() if e in entries] for name, items in entries.items()}
    strange = [
        (at, entry)
        for items in entries.values()
        for at, entry in items.items()
        if entry not in entries and not is_chat_id(entry)
    ]
    for count, (at, entry) in enumerate(strange):
        problems.append(_unknown(at, entry, raw if count < GUESSES else ()))
    order = _order(graph, problems)
    ids = {at: e for items in entries.values() for at, e in items.items() if e not in entries}
    return Chats(_flatten(order, entries), ids), problems


def _entries(name: str, value: object, problems: list[Problem]) -> dict[str, str]:
    path = key_path(("chats", name))
    if isinstance(value, str):
        return {path: value}
    if not isinstance(value, list):
        problems.append(Problem(path, mistaken(texts.CHATS, value).message, shown(value, path)))
        return {}
    located = {f"{path}[{index}]": item for index, item in enumerate(value)}
    for at, item in located.items():
        if not isinstance(item, str):
            problems.append(Problem(at, mistaken(texts.CHAT, item).message, shown(item, at)))
    return {at: item for at, item in located.items() if isinstance(item, str)}


def _unknown(path: str, entry: str, names: Iterable[str]) -> Problem:
    mistake = unknown(entry, names)
    return Problem(path, mistake.message, shown(entry, path), mistake.hint)


def _order(graph: dict[str, list[str]], problems: list[Problem]) -> list[str]:
    """The names, each after those it is made of; every cycle is told once and then cut open."""
    while True:
        try:
            return list(TopologicalSorter(graph).static_order())
        except CycleError as exc:
            cycle: list[str] = exc.args[1][::-1]
            first = cycle.index(min(cycle[1:]))
            turn = [*cycle[first:-1], *cycle[: first + 1]]
            path = key_path(("chats", turn[0]))
            message = texts.CYCLE.filled(turn=" → ".join(turn))
            problems.append(Problem(path, message, hint=texts.CYCLE_HINT))
            graph[turn[0]] = [entry for entry in graph[turn[0]] if entry != turn[1]]


def _flatten(order: list[str], entries: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    flat: dict[str, tuple[str, ...]] = {}
    for name in order:
        wxids = (wxid for entry in entries[name].values() for wxid in flat.get(entry, (entry,)))
        flat[name] = tuple(dict.fromkeys(wxids))
    return {name: flat[name] for name in entries}
