"""The two languages of the bot, and texts that exist in both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Language = Literal["zh", "en"]


class Text(NamedTuple):
    """One thing to say, side by side in both languages; `{name}` is filled in by `said`."""

    zh: str
    en: str

    def said(self, language: Language, **values: object) -> str:
        """The text in one of them; what is filled in is taken as it is, other texts in the same language."""
        filled = {n: v.said(language) if isinstance(v, Text) else v for n, v in values.items()}
        return (self.zh if language == "zh" else self.en).format(**filled)


def language_of(environ: Mapping[str, str]) -> Language:
    """What this environment speaks, as POSIX decides it: Chinese where the locale is, otherwise English."""
    spoken = environ.get("LC_ALL") or environ.get("LC_MESSAGES") or environ.get("LANG") or ""
    return "zh" if spoken.lower().startswith("zh") else "en"
