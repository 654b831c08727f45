"""What the Tab key offers as values: states, chats, and the ids of deliveries that wait for somebody."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import typer

from relay.clock import SystemClock
from relay.config import Config, load
from relay.errors import RelayError
from relay.language import language_of
from relay.operating.operator import DISCARD, RETRY, Wish
from relay.operating.questions import DELIVERY_STATES
from relay.roles import open_store
from relay.store.protocol import Row

OFFERED = 200
Offer = list[tuple[str, str]]
"""Values, each with what is said about it."""


def states(incomplete: str) -> Offer:
    """Every state of a delivery; several can be joined with commas."""
    return _states(incomplete, DELIVERY_STATES)


def states_to_retry(incomplete: str) -> Offer:
    """States from which a delivery can be sent again."""
    return _states(incomplete, RETRY.states)


def states_to_discard(incomplete: str) -> Offer:
    """States from which a delivery can be dropped."""
    return _states(incomplete, DISCARD.states)


def _states(incomplete: str, known: Iterable[str]) -> Offer:
    before, comma, begun = incomplete.rpartition(",")
    given = before.split(",")
    return [
        (f"{before}{comma}{state}", DELIVERY_STATES[state].said(language_of(os.environ)))
        for state in map(str, known)
        if state.startswith(begun) and state not in given
    ]


def chats(context: typer.Context, incomplete: str) -> Offer:
    """The names in [chats]."""
    config = _config(context)
    names = config.chats.names if config else {}
    return [(name, ", ".join(wxids[:3])) for name, wxids in names.items() if name.startswith(incomplete)]


def ids_to_retry(context: typer.Context, incomplete: str) -> Offer:
    """Deliveries that can be sent again."""
    return list(_ids(context, incomplete, RETRY))


def ids_to_discard(context: typer.Context, incomplete: str) -> Offer:
    """Deliveries that can be dropped."""
    return list(_ids(context, incomplete, DISCARD))


def _ids(context: typer.Context, incomplete: str, wish: Wish) -> Iterator[tuple[str, str]]:
    config = _config(context)
    for row in asyncio.run(_rows(config, wish)) if config else ():
        number = str(row["id"])
        if number.startswith(incomplete) or number[1:].startswith(incomplete):
            yield number, f"{row['state']} {row['target']}"


async def _rows(config: Config, wish: Wish) -> list[Row]:
    try:
        store = open_store(config, SystemClock(), read_only=True)
        try:
            return await store.deliveries(states=wish.states, limit=OFFERED)
        finally:
            store.close()
    except RelayError:
        return []


def _config(context: typer.Context) -> Config | None:
    """The configuration that the line names; whatever is wrong with it, the Tab key says nothing."""
    try:
        return load(Path(context.params.get("config") or "bot.toml"))
    except (RelayError, OSError):
        return None
