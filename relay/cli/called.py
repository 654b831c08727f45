"""How this program was called, so that what we tell people to type works where they are."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

COMMANDS = (
    *("demo", "init", "check", "run", "status", "messages", "explain", "deliveries", "retry", "discard"),
    *("conversations", "diagnose", "backup", "forget", "try", "replay", "plugins", "sim"),
)
"""In the order in which somebody new needs them; each is a module here."""

MODULES = {"try": "trying"}
"""Those whose name Python keeps for itself."""

_COMMAND = re.compile(rf"(?<![\w/.-])relay (?=(?:{'|'.join(COMMANDS)})\b)")


def program() -> str:
    """`relay` where that is on the path, otherwise what was typed to get here."""
    called = sys.argv[0]
    if called == "relay":
        return called
    if Path(called).name != "relay":
        return f"{shlex.quote(sys.executable)} -m relay"
    on_path = shutil.which("relay")
    return "relay" if on_path and Path(on_path).samefile(called) else shlex.quote(called)


def typeable(text: str) -> str:
    """The text with every command in it written so that it can be typed here."""
    return _COMMAND.sub(lambda _: f"{program()} ", text)
