"""`relay`: its commands, and how it ends."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import relay
from relay.cli import check, deliveries, demo, messages, run, sim, status
from relay.cli.complaints import complain

HELP = """relay mirrors messages between WeCom chats and answers them by rules.

`relay demo` shows all of it on this machine; `relay COMMAND --help` explains one command, with examples.
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


def build() -> typer.Typer:
    """All commands, in the order in which somebody new needs them."""
    app = typer.Typer(
        help=HELP,
        epilog=EPILOG,
        callback=_begin,
        invoke_without_command=True,
        add_completion=False,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,  # they show local variables, and with them secrets
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for command in (demo, check, run, status, messages, deliveries, sim):
        name = command.__name__.rpartition(".")[2]
        app.command(name, help=command.HELP)(getattr(command, name))
    return app


def execute(arguments: Sequence[str]) -> int:
    """Run one command line and return the exit code; whatever goes wrong is told, not raised."""
    try:
        code = build()(args=list(arguments), prog_name="relay", standalone_mode=False)
    except Exception as exc:  # noqa: BLE001 - the border: what nobody can explain is raised again
        return complain(exc, json="--json" in arguments, environ=os.environ)
    return code if isinstance(code, int) else 0


def main() -> None:
    """The entry point of the `relay` program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no Chinese shows `?`
    sys.exit(execute(sys.argv[1:]))
