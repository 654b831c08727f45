"""What forwards do together: do each other's work, go in a circle, or bring one message twice."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, islice

from relay.authoring.matching import normalise
from relay.errors import Problem
from relay.linting import texts
from relay.linting.scopes import Scope
from relay.linting.shadows import Inside, alternatives_of
from relay.linting.surroundings import Surroundings, called
from relay.linting.table import Table

MOST_PAIRS = 20_000
"""Pairs of chats of one route that are looked at one by one."""
MOST_COMPARED = 256
"""Routes that one route is compared with."""

Pair = tuple[str, str]


# --- what another route does already ---------------------------------------------------------------


def served(tables: Sequence[Table], around: Surroundings) -> Iterator[Problem]:
    """Routes of one list, each target once, that leave nothing for a later one, or not all of it."""
    by_source: defaultdict[str, list[int]] = defaultdict(list)
    scopes = [Scope.of(table.selection) for table in tables]
    inside = Inside(word for table in tables for word in table.selection.words.contains)
    for number, table in enumerate(tables):
        earlier = dict.fromkeys(n for chat in table.sources for n in by_source[chat])
        covering = [
            n
            for n in list(earlier)[:MOST_COMPARED]
            if scopes[n].covers_elsewhere(scopes[number]) and _says_no_less(tables[n], table, inside)
        ]
        yield from _served(table, [tables[n] for n in covering], around)
        if table.selection.once and table.selection.always:
            for chat in table.sources:
                by_source[chat].append(number)


def _says_no_less(earlier: Table, later: Table, inside: Inside) -> bool:
    """Whether every message with the later one's words has words of the earlier one, too."""
    words = set(earlier.selection.words.contains)
    if not words:
        return not earlier.selection.patterns
    alternatives = alternatives_of(later)
    return all(each.key == "contains" and words & inside.of(each.words[0]) for each in alternatives)


def _served(table: Table, earlier: Sequence[Table], around: Surroundings) -> Iterator[Problem]:
    pairs = pairs_of(table)
    if not pairs or not earlier:
        return
    by: dict[Pair, Table] = {}
    for other in earlier:
        sources, targets = set(other.sources), set(other.selection.to)
        for pair in pairs:
            if pair not in by and pair[0] in sources and pair[1] in targets:
                by[pair] = other
    if len(by) == len(pairs):
        names = {other.at: called(other) for other in by.values()}
        yield around.problem(
            table, (), texts.ROUTE_SHADOWED.filled(by=next(iter(names.values()))), texts.ROUTE_SHADOWED_HINT
        )
    elif by:
        pair, other = next(iter(by.items()))
        more = texts.MORE.filled(count=len(by) - 1) if len(by) > 1 else ""
        message = texts.ROUTE_DOUBLED.filled(path=around.drawn(*pair), by=called(other), more=more)
        yield around.problem(table, (), message, texts.ROUTE_DOUBLED_HINT)


def pairs_of(table: Table) -> list[Pair]:
    """From which chat to which it sends; none where these are too many, or nobody knows from where."""
    sources, targets = table.sources, table.selection.to
    if len(sources) * len(targets) > MOST_PAIRS:
        return []
    return [(source, target) for source in sources for target in targets if source != target]


# --- circles ---------------------------------------------------------------------------------------


def circles(tables: Iterable[Table], around: Surroundings) -> Iterator[Problem]:
    """Ways over several routes that lead back to where they began; one route both ways is meant so."""
    ways: defaultdict[str, dict[str, Table]] = defaultdict(dict)
    for table in tables:
        if not table.selection.to or not table.sources or alternatives_of(table)[0].key:
            continue
        back = _back(table, ways)
        for source, target in pairs_of(table):
            ways[source].setdefault(target, table)
        if back is not None:
            hint = texts.CYCLE_TWO_HINT if len(back) == 3 else texts.CYCLE_HINT
            chats = ", ".join(f'"{around.chat(chat)}"' for chat in back[:-1])
            message = texts.CYCLE.filled(path=around.drawn(*back))
            yield around.problem(table, (), message, hint.filled(chats=chats))


def _back(table: Table, ways: Mapping[str, Mapping[str, Table]]) -> tuple[str, ...] | None:
    """A way that this table closes, beginning and ending with one of its sources."""
    sources = set(table.sources)
    for target in table.selection.to[:MOST_COMPARED]:
        new = {source for source in sources - {target} if target not in ways.get(source, ())}
        if new and (way := _way(target, new, ways)) is not None:
            return (way[-1], *way)
    return None


def _way(start: str, ends: set[str], ways: Mapping[str, Mapping[str, Table]]) -> tuple[str, ...] | None:
    """The shortest way from one chat to any of these, over the routes so far."""
    before: dict[str, str | None] = {start: None}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        for there in ways.get(here, ()):
            if there not in before:
                before[there] = here
                queue.append(there)
                if there in ends:
                    return _walked(there, before)
    return None


def _walked(end: str, before: Mapping[str, str | None]) -> tuple[str, ...]:
    way: list[str] = []
    at: str | None = end
    while at is not None:
        way.append(at)
        at = before[at]
    return tuple(reversed(way))


# --- one message twice -----------------------------------------------------------------------------


def twice(tables: Sequence[Table], around: Surroundings) -> Iterator[Problem]:
    """Chats in which one message appears as a forward and as a text; equal forwards are sent once."""
    by_target: defaultdict[str, list[int]] = defaultdict(list)
    for number, table in enumerate(tables):
        for chat in table.selection.to:
            by_target[chat].append(number)
    told: set[tuple[int, int]] = set()
    for target, numbers in by_target.items():
        for first, second in islice(combinations(numbers, 2), MOST_COMPARED):
            if (first, second) in told or not _may_double(tables[first], tables[second]):
                continue
            source = _common_source(tables[first], tables[second], target)
            if source is not None:
                told.add((first, second))
                path, by = around.drawn(source, target), called(tables[first])
                message = texts.TWICE.filled(path=path, by=by)
                yield around.problem(tables[second], (), message, texts.TWICE_HINT)


def _may_double(first: Table, second: Table) -> bool:
    if first.listing == second.listing and second.selection.once:
        return False
    if first.selection.verbatim and second.selection.verbatim:
        return False
    if first.selection.final:  # whatever it chooses, the other does not see
        return False
    return Scope.of(first.selection).meets(Scope.of(second.selection)) and _same_words(first, second)


def _common_source(first: Table, second: Table, target: str) -> str | None:
    """A chat from which both send there."""
    of_second = set(second.sources) or set(first.sources)
    both = (chat for chat in first.sources or second.sources if chat in of_second and chat != target)
    return next(both, None)


def _same_words(first: Table, second: Table) -> bool:
    """Whether there is a text that both choose; one is made up and tried."""
    for one in _examples(first):
        for other in _examples(second):
            mixed = (one, other, f"{one} {other}")
            if any(chooses(first, text) and chooses(second, text) for text in mixed):
                return True
    return False


def _examples(table: Table) -> list[str]:
    found = [" ".join(each.words) for each in alternatives_of(table) if each.key not in ("", "regex")]
    return found[:5] if found or table.selection.patterns else [""]


def chooses(table: Table, text: str) -> bool:
    """Whether the words of a table are in this text, patterns apart, and none that it does not want."""
    chosen = table.selection
    if any(word in normalise(text) for word in chosen.not_contains):
        return False
    return not any(words for _, words in chosen.alternatives()) or chosen.words.match(text)
