"""`relay discard`: drop deliveries that are not worth sending any more."""

from __future__ import annotations

from typing import Annotated

from relay.cli import completion, texts
from relay.cli.operating import Asked, Chat, Command, Yes, ids_argument, operate, state_option
from relay.cli.options import DEFAULT_CONFIG, ConfigPath, Json
from relay.operating.operator import DISCARD

HELP = """Drop deliveries that are held, failed, expired or queued; nothing brings them back.

Deliveries in another state stay as they are; that is told, and the exit code is 1.

Examples:

- `relay discard d12 d13`
- `relay discard --state expired` — all of them, after a question
- `relay discard --state queued --chat east --yes --json` — for programs
"""

Ids = Annotated[list[str] | None, ids_argument(completion.ids_to_discard)]
States = Annotated[
    list[str] | None, state_option("held, failed, expired or queued", completion.states_to_discard)
]
COMMAND = Command(DISCARD, texts.DISCARD_QUESTION, texts.DISCARDED)


def discard(
    ids: Ids = None,
    config: ConfigPath = DEFAULT_CONFIG,
    state: States = None,
    chat: Chat = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """The command; `HELP` explains it."""
    operate(COMMAND, config, Asked(ids or (), state or (), chat or (), yes, json))
