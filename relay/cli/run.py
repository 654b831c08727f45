"""`relay run`: the bot itself."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from relay.cli.options import DEFAULT_CONFIG, ConfigPath
from relay.cli.parent import WithParent, end_with_parent

HELP = """Run the bot until Ctrl-C or SIGTERM: it takes no new work, finishes what is in hand, ends with 0.

SIGHUP reads configuration and plugins again. Its log goes to stderr: lines for people on a terminal,
otherwise one JSON object on each line.

Examples:

- `relay run` — everything, with the bot.toml of this folder
- `relay run --config /etc/relay/bot.toml`
- `relay run --role console` — one part alone, beside others that are started the same way
"""


class Role(StrEnum):
    """The parts of the bot that can run alone."""

    ALL = "all"
    RECEIVER = "receiver"
    ROUTER = "router"
    SENDER = "sender"
    CONSOLE = "console"


def run(
    config: ConfigPath = DEFAULT_CONFIG,
    role: Annotated[Role, typer.Option("--role", help="Which part to run.")] = Role.ALL,
    with_parent: WithParent = False,
) -> None:
    """The command; `HELP` explains it."""
    from relay.run import run as serve  # the whole bot; no other command needs it

    if with_parent:
        end_with_parent()
    raise typer.Exit(serve(config, str(role)))
