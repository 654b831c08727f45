"""`relay` and its commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Annotated

import typer

import relay
from relay.cli.called import COMMANDS, MODULES

COMPLETED = ("_TYPER_COMPLETE_ARGS", "COMP_WORDS")
"""Where shells put the line that is being typed."""

HELP = """relay mirrors messages between WeCom chats and answers them by rules.

`relay demo` shows all of it on this machine; `relay COMMAND --help` explains one command, with examples.
`relay --install-completion` lets the Tab key complete commands, states, chats and ids in bash, zsh and fish.
"""
EPILOG = (
    "Exit code: 0 done, 1 it failed, 2 usage or configuration. --json prints for programs, errors included."
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"relay {relay.__version__}")
        raise typer.Exit


def _begin(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def commands_for(arguments: Sequence[str]) -> Sequence[str]:
    """The command that is asked for, so that no other is loaded; all of them where none is."""
    return arguments[:1] if arguments and arguments[0] in COMMANDS else COMMANDS


def typed(environ: Mapping[str, str]) -> list[str]:
    """The words on the line so far, where a shell asks what the Tab key is to offer."""
    return next((environ[name].split()[1:] for name in COMPLETED if name in environ), [])


def build(commands: Iterable[str] = COMMANDS) -> typer.Typer:
    """The program with these commands."""
    app = typer.Typer(
        help=HELP,
        epilog=EPILOG,
        callback=_begin,
        invoke_without_command=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,  # they show local variables, and with them secrets
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name in commands:
        module = MODULES.get(name, name)
        command = import_module(f"relay.cli.{module}")
        if hasattr(command, "MORE"):
            app.add_typer(_group(command, module), name=name)
        else:
            app.command(name, help=command.HELP)(getattr(command, module))
    return app


def _group(command: ModuleType, module: str) -> typer.Typer:
    """A command that has others of its own."""
    group = typer.Typer(
        help=command.HELP,
        callback=getattr(command, module),
        invoke_without_command=True,
        rich_markup_mode="markdown",
    )
    for name, other in command.MORE.items():
        group.command(name, help=other.HELP)(getattr(other, name))
    return group
