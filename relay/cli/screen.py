"""What a command prints: JSON for programs, tables for people, and nothing that tricks a terminal."""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata

from rich.console import Console

PIPED_WIDTH = 200
"""Where the output is no terminal, nobody's window cuts the lines."""

JOINERS = "\u200c\u200d"
"""Invisible characters that emoji and some scripts need."""

_SUSPECT = re.compile(r"[^ -~\u4e00-\u9fff\u3000-\u30ff\uff00-\uff60]")
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def clean(text: str) -> str:
    """The text on one line, without what could move a cursor, change a colour or turn the direction."""
    return " ".join(_SUSPECT.sub(lambda found: _harmless(found[0]), text).split())


def _harmless(letter: str) -> str:
    if letter.isspace():
        return " "
    category = unicodedata.category(letter)
    if category in ("Cc", "Cs"):
        return "\ufffd"
    return "" if category == "Cf" and letter not in JOINERS else letter


def print_json(value: object) -> None:
    """Print a value for programs; what a terminal would obey is escaped, which a program does not notice."""
    ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    text = json.dumps(value, ensure_ascii=ascii_only, indent=2)
    sys.stdout.write(_UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def screen(*, stderr: bool = False) -> Console:
    """The terminal, in whose width tables are laid out; no text is taken for markup."""
    stream = sys.stderr if stderr else sys.stdout
    known = "COLUMNS" in os.environ or stream.isatty()
    return Console(
        file=stream, width=None if known else PIPED_WIDTH, markup=False, emoji=False, highlight=False
    )
