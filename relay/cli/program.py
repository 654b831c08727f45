"""The `relay` program: from the words of a command line to an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import relay
from relay.cli import shortcut


def main() -> None:
    """The entry point of the `relay` program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no Chinese shows `?`
    sys.exit(execute(sys.argv[1:]))


def execute(arguments: Sequence[str]) -> int:
    """Run one command line and return the exit code; whatever goes wrong is told, not raised."""
    try:
        return _execute(arguments)
    except Exception as exc:  # noqa: BLE001 - the border: what nobody can explain is raised again
        from relay.cli.complaints import complain

        return complain(exc, json="--json" in arguments, environ=os.environ)


def _execute(arguments: Sequence[str]) -> int:
    if list(arguments) == ["--version"]:
        print(f"relay {relay.__version__}")
        return 0
    serving = shortcut.read(arguments)
    if serving is not None:
        return serving.serve()
    from relay.cli.app import build, commands_for, typed

    code = build(commands_for(typed(os.environ) or arguments))(
        args=list(arguments), prog_name="relay", standalone_mode=False
    )
    return code if isinstance(code, int) else 0
