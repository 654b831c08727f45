"""What a newcomer sees first, and that nobody sees less for the language."""

from __future__ import annotations

import re

import pytest
from docs.readme import BOTH, PAGES, PAIRS, ROOT, Readme

each = pytest.mark.parametrize("readme", BOTH, ids=lambda readme: readme.name)
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
each_pair = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0].name)


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


@each_pair
def test_each_links_to_the_other_at_its_top(pair: tuple[Readme, Readme]) -> None:
    for page, other in (pair, pair[::-1]):
        assert f"]({other.name.rpartition('/')[2]})" in "\n".join(page.text.splitlines()[:5])


@each_page
def test_what_is_linked_is_there(page: Readme) -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)", page.text) if "://" not in link]
    assert [link for link in links if not _leads_somewhere(page, link)] == []


def _leads_somewhere(page: Readme, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.folder / path).resolve() if path else ROOT / page.name
    if not anchor:
        return target.is_file()
    return anchor in Readme(str(target.relative_to(ROOT))).anchors


@each
def test_the_readme_leads_to_every_page_of_its_language(readme: Readme) -> None:
    mine = [page.name for page in PAGES if bool(page.english) is bool(readme.english) and page != readme]
    assert [name for name in mine if f"]({name})" not in readme.text] == []


@each_pair
def test_both_have_the_same_headings(pair: tuple[Readme, Readme]) -> None:
    english, chinese = ([level for level, _ in page.headings] for page in pair)
    assert english == chinese


@each_pair
def test_both_have_the_same_code(pair: tuple[Readme, Readme]) -> None:
    english, chinese = ([(block.language, block.shape) for block in page.blocks] for page in pair)
    assert english == chinese


@pytest.mark.parametrize(
    ("pair", "heading"), [(pair, words) for pair in PAIRS for _, words in pair[0].headings]
)
def test_both_have_the_same_lists_and_tables(pair: tuple[Readme, Readme], heading: str) -> None:
    def counted(page: Readme) -> list[int]:
        text = page.section(heading)
        return [len(re.findall(mark, text, re.MULTILINE)) for mark in (r"^- ", r"^\d+\. ", r"^\|")]

    english, chinese = map(counted, pair)
    assert english == chinese


@each_pair
def test_both_name_the_same_things(pair: tuple[Readme, Readme]) -> None:
    """Settings, states, events and commands are called the same in every language."""

    def named(page: Readme) -> set[str]:
        return set(re.findall(r"`([a-z_]+\.[a-z_]+|[a-z]+_[a-z_]+|relay [a-z]+)\b", page.prose))

    english, chinese = map(named, pair)
    assert english == chinese
