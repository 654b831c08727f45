"""The two READMEs, taken apart: sections, tables and code blocks."""

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
_TEXTS = re.compile(r'"""[^"]*"""|"[^"\n]*"')
_COMMENT = re.compile(r" *#.*")


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
        return _COMMENT.sub("", _TEXTS.sub('""', self.code))


@dataclass(frozen=True)
class Readme:
    """One of them."""

    name: str

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
    def blocks(self) -> list[Block]:
        return [
            Block(found["language"], re.sub(f"^{found['indent']}", "", found["code"], flags=re.MULTILINE))
            for found in _BLOCK.finditer(self.text)
        ]

    def written_in(self, language: str) -> list[str]:
        """The code of every block in this language."""
        return [block.code for block in self.blocks if block.language == language]

    def section(self, english: str) -> str:
        """The prose under the heading that is called so in English, down to the next of its level."""
        at = [words for _, words in ENGLISH.headings].index(english)
        level, words = self.headings[at]
        rest = self.prose.partition(f"\n{level} {words}\n")[2]
        return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]

    def tables(self, english: str) -> list[list[list[str]]]:
        """The tables of a section: rows of cells, without the head."""
        found = re.findall(r"(?:^\|.*\n)+", self.section(english), re.MULTILINE)
        return [[_cells(row) for row in table.splitlines()[2:]] for table in found]


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split(" | ")]


def names(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", text)


ENGLISH = Readme("README.md")
CHINESE = Readme("README.zh-CN.md")
BOTH = (ENGLISH, CHINESE)
