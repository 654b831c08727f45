"""How words are compared, and how thousands of them are looked for at once."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from ahocorasick_rs import AhoCorasick, Implementation
from pydantic import AfterValidator

from relay.config import texts
from relay.config.problems import UnfitError
from relay.language import Text

WINDOW = 64 * 1024  # characters looked at together: every place where a word stands takes memory

# The platform puts U+2005 behind the name in a mention; where people type one by hand, a space ends it.
_MENTION = re.compile("\\s*[@＠](?:[^@＠\u2005\\n]{1,64}\u2005|[^@＠\\s]{1,64}\\s)\\s*")


def normalise(text: str) -> str:
    """The form in which words are compared: width and case do not count (NFKC, case folding)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def without_mention(text: str) -> str:
    """The text as received, without the mentions (`@name`, `＠name`) that it begins with."""
    end = 0
    while (found := _MENTION.match(text, end)) is not None:
        end = found.end()
    return text[end:]


def _word(written: str) -> str:
    word = normalise(written)
    if not word.strip():
        raise UnfitError(texts.EMPTY, Text("否则每段文本都会命中", "it would be in every text"))
    return word


Words = tuple[Annotated[str, AfterValidator(_word)], ...]
"""Words for settings: each is read into the form in which words are compared."""


@dataclass(frozen=True, slots=True)
class Literals:
    """Words of one rule, in the form in which they are compared; one of the four kinds must match."""

    equals: Sequence[str] = ()
    contains: Sequence[str] = ()
    contains_all: Sequence[str] = ()
    prefix: Sequence[str] = ()

    def match(self, text: str) -> bool:
        """Whether a text matches, found out word by word: what `Keywords` does for many at once."""
        whole = normalise(text)
        begun = _beginnings(text, whole)
        return (
            any(form == word.strip() for word in self.equals for form in begun)
            or any(form.startswith(word.strip()) for word in self.prefix for form in begun)
            or any(word in whole for word in self.contains)
            or bool(self.contains_all and all(word in whole for word in self.contains_all))
        )


class Keywords:
    """Many rules' words in one automaton (Aho-Corasick): 500 rules cost hardly more than one."""

    def __init__(self, rules: Iterable[Literals]) -> None:
        self._equals: defaultdict[str, set[int]] = defaultdict(set)
        self._prefix: defaultdict[str, set[int]] = defaultdict(set)
        self._contains: defaultdict[str, set[int]] = defaultdict(set)
        self._whole: defaultdict[str, list[tuple[int, tuple[str, ...]]]] = defaultdict(list)
        for number, rule in enumerate(rules):
            self._add(number, rule)
        self._lengths = sorted({len(word) for word in self._prefix})
        self._words = tuple({**self._contains, **dict.fromkeys(w for w in self._needed())})
        self._longest = max(map(len, self._words), default=0)
        self._automaton = AhoCorasick(self._words, implementation=Implementation.DFA) if self._words else None

    def _add(self, number: int, rule: Literals) -> None:
        for word in rule.equals:
            self._equals[word.strip()].add(number)
        for word in rule.prefix:
            self._prefix[word.strip()].add(number)
        for word in rule.contains:
            self._contains[word].add(number)
        if rule.contains_all:
            self._whole[rule.contains_all[0]].append((number, tuple(rule.contains_all)))

    def _needed(self) -> Iterable[str]:
        return (word for rules in self._whole.values() for _, words in rules for word in words)

    def matching(self, text: str) -> set[int]:
        """The numbers (in the order given, from 0) of the rules that match a text as received."""
        found: set[int] = set()
        whole = normalise(text)
        for form in _beginnings(text, whole):
            found.update(self._equals.get(form, ()))
            for length in self._lengths:
                if (begun := self._prefix.get(form[:length])) is not None:
                    found |= begun
        here = self._here(whole)
        for word in here:
            found.update(self._contains.get(word, ()))
            if word in self._whole:
                found.update(number for number, words in self._whole[word] if here.issuperset(words))
        return found

    def _here(self, whole: str) -> set[str]:
        if self._automaton is None:
            return set()
        here: set[str] = set()
        for begin in range(0, len(whole), WINDOW):
            window = whole[begin : begin + WINDOW + self._longest]
            matches = self._automaton.find_matches_as_indexes(window, overlapping=True)
            here.update(self._words[number] for number, _, _ in matches)
        return here


def _beginnings(text: str, whole: str) -> set[str]:
    """What equals and prefix are compared with: the text, and the text without its leading mentions."""
    if not text.lstrip().startswith(("@", "＠")):
        return {whole.strip()}
    return {whole.strip(), normalise(without_mention(text)).strip()}
