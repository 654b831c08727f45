"""`relay retry`: send deliveries again that an operator has looked at."""

from __future__ import annotations

from typing import Annotated

import typer

from relay.cli import completion, texts
from relay.cli.operating import Asked, Chat, Command, Yes, operate
from relay.cli.options import DEFAULT_CONFIG, ConfigPath, Json
from relay.operator import RETRY

HELP = """Put deliveries that are held, failed or expired back in line, with attempts and expiry anew.

What may have arrived already (held) may arrive twice: `relay deliveries --state held` shows what you decide
about. Deliveries in another state stay as they are; that is told, and the exit code is 1.

Examples:

- `relay retry d12 d13`
- `relay retry --state failed --chat east` — all that failed there, after a question
- `relay retry --state held,expired --yes --json` — for programs: `{"id", "before", "after", "done"}` of each
"""

COMMAND = Command(RETRY, texts.RETRY_QUESTION, texts.RETRIED)


def retry(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID", help="Deliveries, as d12 or 12.", autocompletion=completion.ids_to_retry
        ),
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state",
            metavar="STATE",
            help="All that are held, failed or expired; several with commas.",
            autocompletion=completion.states_to_retry,
        ),
    ] = None,
    chat: Chat = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """The command; `HELP` explains it."""
    operate(COMMAND, config, Asked(ids or (), state or (), chat or (), yes, json))
