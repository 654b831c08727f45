"""How words are compared."""

from __future__ import annotations

import unicodedata


def normalise(text: str) -> str:
    """The form in which words are compared: width and case do not count (NFKC, case folding)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
