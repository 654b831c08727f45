"""What `relay retry` and `relay discard` share: choose deliveries, ask, do it, tell what came of it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.text import Text as Styled

from relay.cli import completion, texts
from relay.cli.called import typeable
from relay.cli.options import configured, operating
from relay.cli.screen import clean, print_json, screen
from relay.cli.tables import coloured
from relay.config import Config
from relay.errors import RefusalError
from relay.language import Language, Text
from relay.operating.operator import Operator, Outcome, Wish
from relay.operating.questions import DELIVERY_STATES, delivery_asked
from relay.store.states import DeliveryState

Complete = Callable[..., Any]
"""What the Tab key offers."""

Chat = Annotated[
    list[str] | None,
    typer.Option(
        "--chat",
        metavar="CHAT",
        help="With --state: only to this target, a name in [chats] or an id.",
        autocompletion=completion.chats,
    ),
]


def ids_argument(complete: Complete) -> Any:  # noqa: ANN401, RUF100 - as typer types it
    """Deliveries by their ids."""
    return typer.Argument(metavar="ID", help="Deliveries, as d12 or 12.", autocompletion=complete)


def state_option(which: str, complete: Complete) -> Any:  # noqa: ANN401, RUF100 - as typer types it
    """All deliveries in some states."""
    told = f"All that are {which}; several with commas."
    return typer.Option("--state", metavar="STATE", help=told, autocompletion=complete)


Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before all of a state are taken.")]

AT_ONCE = 200  # deliveries in one transaction: others want to write as well
LINES = 30  # of a longer list, only what did not work is shown


@dataclass(frozen=True, slots=True)
class Command:
    """One of the two commands: what it wishes, and its words."""

    wish: Wish
    question: Text
    done: Text


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for: deliveries by their ids, or all in some states."""

    ids: Sequence[str]
    states: Sequence[str]
    chats: Sequence[str]
    yes: bool
    json: bool


def operate(command: Command, path: Path, asked: Asked) -> None:
    """Do it and tell; exit code 1 where it could not be done to all of them."""
    with configured(path) as config:
        outcomes = asyncio.run(_operate(command, config, asked))
        language = config.bot.language
        if asked.json:
            _print_json(outcomes, language)
        else:
            _show(command, outcomes, language)
    if any(outcome.refusal for outcome in outcomes):
        raise typer.Exit(1)


async def _operate(command: Command, config: Config, asked: Asked) -> list[Outcome]:
    if bool(asked.ids) == bool(asked.states) or (asked.chats and not asked.states):
        raise RefusalError(texts.IDS_OR_STATE, texts.IDS_OR_STATE_HINT, {"command": command.wish.name})
    numbers = [delivery_asked(word) for word in asked.ids]
    async with operating(config) as operator:
        if asked.states:
            numbers = await operator.selected(command.wish, asked.states, asked.chats)
            if numbers and not asked.yes:
                _confirm(command, len(numbers), config.bot.language)
        return [each async for part in _done(command, operator, numbers) for each in part]


async def _done(command: Command, operator: Operator, numbers: Sequence[int]) -> AsyncIterator[list[Outcome]]:
    """Part by part, with a bar on a terminal where there are many."""
    unique = list(dict.fromkeys(numbers))
    parts = [unique[at : at + AT_ONCE] for at in range(0, len(unique), AT_ONCE)]
    console = screen(stderr=True)
    quiet = len(parts) < 3 or not console.is_terminal
    for part in track(parts, "", console=console, disable=quiet, transient=True):
        yield await operator.operate(command.wish, part)


def _confirm(command: Command, count: int, language: Language) -> None:
    """Ask a person; where there is none, `--yes` has to be said."""
    question = command.question.said(language, count=count, s="" if count == 1 else "s")
    if not sys.stdin.isatty():
        raise RefusalError(texts.NOBODY_TO_ASK, texts.NOBODY_TO_ASK_HINT, {"count": count})
    if not typer.confirm(question, err=True):
        raise RefusalError(texts.NOT_WISHED, exit_code=1)


def _print_json(outcomes: Sequence[Outcome], language: Language) -> None:
    rows = [outcome.row(language) for outcome in outcomes]
    refused = [outcome.refusal.told(language) for outcome in outcomes if outcome.refusal]
    if not refused:
        print_json(rows)
        return
    error = (
        refused[0]["error"] if len(refused) == 1 else texts.SOME_REFUSED.said(language, **_counted(outcomes))
    )
    print_json({"error": error, "hint": refused[0]["hint"], "deliveries": rows})


def _show(command: Command, outcomes: Sequence[Outcome], language: Language) -> None:
    console = screen()
    for outcome in outcomes:
        if outcome.refusal:
            _show_refusal(screen(stderr=True), outcome.refusal, language)
        elif len(outcomes) <= LINES:
            console.print(_line(outcome, language), soft_wrap=True)
    done = sum(outcome.refusal is None for outcome in outcomes)
    if not outcomes:
        console.print(texts.NONE_SELECTED.said(language))
    elif done > 1:
        console.print(command.done.said(language, count=done), style="dim")


def _line(outcome: Outcome, language: Language) -> Styled:
    line = Styled(f"{outcome.id}  ", "bold")
    line.append_text(_state(outcome.before, language)).append(" → ", "dim")
    return line.append_text(_state(outcome.after, language))


def _state(state: DeliveryState | None, language: Language) -> Styled:
    return coloured(state, DELIVERY_STATES[state].said(language) if state else "")


def _show_refusal(console: Console, refusal: RefusalError, language: Language) -> None:
    told = refusal.told(language)
    console.print(Styled("✗ ", "bold red").append(clean(str(told["error"])), "default"), soft_wrap=True)
    console.print(Styled(f"  {clean(typeable(str(told['hint'])))}", "dim"), soft_wrap=True)


def _counted(outcomes: Sequence[Outcome]) -> dict[str, object]:
    return {"refused": sum(each.refusal is not None for each in outcomes), "count": len(outcomes)}
