"""The two languages of the bot, and texts that exist in both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

Language = Literal["zh", "en"]


class Said(NamedTuple):
    """One thing said in both languages, with nothing left to fill in; `str` gives the English, for logs."""

    zh: str
    en: str
    code: str = ""

    def said(self, language: Language) -> str:
        """What is said in one of them."""
        return self.zh if language == "zh" else self.en

    def __str__(self) -> str:
        return self.en


class Text(NamedTuple):
    """One thing to say, side by side in both languages; `{name}` is filled in by `said` or `filled`.

    `code` is what programs call it, where they must tell it from others.
    """

    zh: str
    en: str
    code: str = ""

    def said(self, language: Language, **values: object) -> str:
        """The text in one of them; what is filled in is taken as it is, other texts in the same language."""
        filled = {n: v.said(language) if isinstance(v, Text | Said) else v for n, v in values.items()}
        return (self.zh if language == "zh" else self.en).format(**filled)

    def filled(self, **values: object) -> Said:
        """The text in both of them."""
        return Said(self.said("zh", **values), self.said("en", **values), self.code)

    def __str__(self) -> str:
        return self.said("en")


COLON = Text("：", ": ")
"""Between a word and what is said of it, where code puts them together."""

Words = Text | Said | str
"""A text with nothing to fill in, or one that somebody wrote in one language only."""


def finished(words: Words) -> Said:
    """These words in both languages; a plain string is the same in both."""
    if isinstance(words, Text):
        return words.filled()
    return words if isinstance(words, Said) else Said(words, words)


def joined(words: Iterable[Words], zh: str, en: str) -> Said:
    """These words one after the other, with what stands between them in each language."""
    parts = [finished(each) for each in words]
    return Said(zh.join(part.zh for part in parts), en.join(part.en for part in parts))


def language_of(environ: Mapping[str, str]) -> Language:
    """What this environment speaks, as POSIX decides it: Chinese where the locale is, otherwise English."""
    spoken = environ.get("LC_ALL") or environ.get("LC_MESSAGES") or environ.get("LANG") or ""
    return "zh" if spoken.lower().startswith("zh") else "en"
