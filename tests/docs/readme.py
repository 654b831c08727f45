"""The pages that people read, in English and in Chinese, taken apart: sections, tables and code blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]

_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_TEXTS = re.compile(r'"""[^"]*"""|"[^"\n]*"|\'[^\'\n]*\'')
_COMMENT = re.compile(r" *#.*")
_LANGUAGE = re.compile(r"(?<=--lang )(zh|en)\b")


@dataclass(frozen=True)
class Block:
    """A block of code, without the fence."""

    language: str
    code: str

    @property
    def shape(self) -> str:
        """The code without what differs from one human language to the other: strings and comments."""
        if self.language == "text":
            return ""
        return _LANGUAGE.sub("", _COMMENT.sub("", _TEXTS.sub('""', self.code)))


@dataclass(frozen=True)
class Readme:
    """A page; `english` is the one that it translates, or itself."""

    name: str
    english: Readme | None = None

    @property
    def folder(self) -> Path:
        """Where its links begin."""
        return (ROOT / self.name).parent

    @cached_property
    def text(self) -> str:
        return (ROOT / self.name).read_text("utf-8")

    @cached_property
    def prose(self) -> str:
        """The text without its code blocks."""
        return _BLOCK.sub("", self.text)

    @property
    def headings(self) -> list[tuple[str, str]]:
        """Level and words of every heading, in order."""
        return _HEADING.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        """What a link may name after `#`, as GitHub makes it of a heading."""
        return {re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-") for _, words in self.headings}

    @property
    def blocks(self) -> list[Block]:
        return self._blocks(self.text)

    def _blocks(self, text: str) -> list[Block]:
        return [
            Block(found["language"], re.sub(f"^{found['indent']}", "", found["code"], flags=re.MULTILINE))
            for found in _BLOCK.finditer(text)
        ]

    def written_in(self, language: str) -> list[str]:
        """The code of every block in this language."""
        return [block.code for block in self.blocks if block.language == language]

    def _heading(self, english: str) -> tuple[str, str]:
        at = [words for _, words in (self.english or self).headings].index(english)
        return self.headings[at]

    def _under(self, text: str, english: str) -> str:
        level, words = self._heading(english)
        rest = text.partition(f"\n{level} {words}\n")[2]
        return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]

    def section(self, english: str) -> str:
        """The prose under the heading that is called so in English, down to the next of its level."""
        return self._under(self.prose, english)

    def code_under(self, english: str, language: str) -> str:
        """All the code in this language under that heading; a comment in a block must not look like one."""
        level, words = self._heading(english)
        parts = re.split(rf"^(?={level} )", self.text, flags=re.MULTILINE)
        (own,) = [part for part in parts if part.startswith(f"{level} {words}\n")]
        return "\n".join(block.code for block in self._blocks(own) if block.language == language)

    def tables(self, english: str) -> list[list[list[str]]]:
        """The tables of a section: rows of cells, without the head."""
        found = re.findall(r"(?:^\|.*\n)+", self.section(english), re.MULTILINE)
        return [[_cells(row) for row in table.splitlines()[2:]] for table in found]


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split(" | ")]


def names(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", text)


def _pair(stem: str) -> tuple[Readme, Readme]:
    english = Readme(f"{stem}.md")
    return english, Readme(f"{stem}.zh-CN.md", english)


BOTH = ENGLISH, CHINESE = _pair("README")
GOING_LIVE = _pair("docs/going-live")
RECIPES = _pair("docs/recipes")
QUESTIONS = _pair("docs/questions")
PLUGINS = _pair("docs/plugins")
PAIRS = (BOTH, GOING_LIVE, RECIPES, QUESTIONS, PLUGINS)
PAGES = tuple(page for pair in PAIRS for page in pair)
