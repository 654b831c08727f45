"""What a newcomer sees first, and that nobody sees less for the language."""

from __future__ import annotations

import re

import pytest
from docs.readme import BOTH, CHINESE, ENGLISH, ROOT, Readme

each = pytest.mark.parametrize("readme", BOTH, ids=lambda readme: readme.name)


@each
def test_the_first_30_lines_have_commands_needs_and_a_picture(readme: Readme) -> None:
    first = "\n".join(readme.text.splitlines()[:30])
    for needed in (r"^make demo\b", r"^make test\b", r"^!\[.+\]\(docs/\S+\.png\)$"):
        assert re.search(needed, first, re.MULTILINE)
    for needed in ("Python 3.11", "glibc ≥ 2.28", "macOS"):
        assert needed in first


@each
def test_the_picture_is_a_small_png(readme: Readme) -> None:
    picture = ROOT / re.findall(r"!\[.+\]\((.+)\)", readme.text)[0]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 300_000


@each
def test_each_links_to_the_other_at_its_top(readme: Readme) -> None:
    (other,) = set(BOTH) - {readme}
    assert f"]({other.name})" in "\n".join(readme.text.splitlines()[:5])


@each
def test_what_is_linked_is_there(readme: Readme) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", readme.text) if "://" not in link]
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_both_have_the_same_headings() -> None:
    assert [level for level, _ in ENGLISH.headings] == [level for level, _ in CHINESE.headings]


def test_both_have_the_same_code() -> None:
    english, chinese = ([(block.language, block.shape) for block in readme.blocks] for readme in BOTH)
    assert english == chinese


@pytest.mark.parametrize("heading", [words for _, words in ENGLISH.headings])
def test_both_have_the_same_lists_and_tables(heading: str) -> None:
    def counted(readme: Readme) -> list[int]:
        text = readme.section(heading)
        return [len(re.findall(mark, text, re.MULTILINE)) for mark in (r"^- ", r"^\d+\. ", r"^\|")]

    assert counted(ENGLISH) == counted(CHINESE)
