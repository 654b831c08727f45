"""`relay retry`: send deliveries again that an operator has looked at."""

from __future__ import annotations

from typing import Annotated

from relay.cli import completion, texts
from relay.cli.operating import Asked, Chat, Command, Yes, ids_argument, operate, state_option
from relay.cli.options import DEFAULT_CONFIG, ConfigPath, Json
from relay.operating.operator import RETRY

HELP = """Put deliveries that are held, failed or expired back in line, with attempts and expiry anew.

What may have arrived already (held) may arrive twice: `relay deliveries --state held` shows what you decide
about. Deliveries in another state stay as they are; that is told, and the exit code is 1.

Examples:

- `relay retry d12 d13`
- `relay retry --state failed --chat east` — all that failed there, after a question
- `relay retry --state held,expired --yes --json` — for programs: `{"id", "before", "after", "done"}` of each
"""

Ids = Annotated[list[str] | None, ids_argument(completion.ids_to_retry)]
States = Annotated[list[str] | None, state_option("held, failed or expired", completion.states_to_retry)]
COMMAND = Command(RETRY, texts.RETRY_QUESTION, texts.RETRIED)


def retry(
    ids: Ids = None,
    config: ConfigPath = DEFAULT_CONFIG,
    state: States = None,
    chat: Chat = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """The command; `HELP` explains it."""
    operate(COMMAND, config, Asked(ids or (), state or (), chat or (), yes, json))
