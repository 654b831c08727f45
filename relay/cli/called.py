"""How this program was called, so that what we tell people to type works where they are."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

_COMMAND = re.compile(r"\brelay (?=[a-z]+\b)")


def program() -> str:
    """`relay` where that is on the path, otherwise what was typed to get here."""
    called = sys.argv[0]
    if Path(called).name != "relay":
        return f"{shlex.quote(sys.executable)} -m relay"
    on_path = shutil.which("relay")
    return "relay" if on_path and Path(on_path).samefile(called) else shlex.quote(called)
