"""How long a message takes among 10,000 keywords in 500 rules, and how long these take to load.

    python -m benchmarks.matching           a table
    python -m benchmarks.matching --json    the same for programs; exit 1 where a limit is not kept

Every figure is the median of rounds over the same 200 messages, in time of the processor, beside a naive
loop over the rules.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from benchmarks.harness import Figure, Scale, at_most
from relay import Context, Literals, Message, Pattern, normalise
from relay.authoring.names import Names
from relay.authoring.plugin import Plugin
from relay.authoring.state import State
from relay.authoring.trace import Trace
from relay.config import validate_settings
from relay.routing.loader import Found, load, shipped_folder

MOST_PER_MESSAGE = 50.0  # microseconds, at 500 rules
MOST_TO_LOAD = 2.0  # seconds
ROUNDS = 15
WORDS_PER_RULE = 20
SIZES = (1, 50, 100, 500, 2000)
PROMISED = 500
ACCOUNT, EAST, ANN = "1688850000000001", "R:10950000000000001", "7881300000000001"

Settings = Any


class Row(NamedTuple):
    """The figures for one number of rules; times in microseconds a message, `load` in seconds."""

    rules: int
    keywords: int
    load: float
    matching: float
    handler: float
    naive: float

    @property
    def ratio(self) -> float:
        """How many times faster the automaton finds the rules than a loop over all words does."""
        return self.naive / self.matching


def words(rnd: random.Random, count: int) -> list[str]:
    """Different words of two to four Chinese characters, or of Latin letters."""
    found: dict[str, None] = {}
    while len(found) < count:
        chinese = "".join(chr(0x4E00 + rnd.randrange(3000)) for _ in range(rnd.randint(2, 4)))
        latin = "".join(rnd.choices("abcdefghijklmnopqrstuvwxyz", k=rnd.randint(5, 9)))
        found[rnd.choice((chinese, latin))] = None
    return list(found)


def table(rnd: random.Random, rules: int) -> dict[str, object]:
    """Rules of every kind: most look for words anywhere, some at the start, some for patterns."""
    keywords = iter(words(rnd, rules * WORDS_PER_RULE))
    listed = []
    for number in range(rules):
        own = [next(keywords) for _ in range(WORDS_PER_RULE)]
        kind = ("prefix", "equals", "contains_all")[number % 3] if number % 10 == 0 else "contains"
        rule: dict[str, object] = {"name": f"rule {number}", kind: own, "reply": "{sender}: {text}"}
        if number % 50 == 0:
            rule["regex"] = [r"(?i)order\s*(?P<no>\d{6,})"]
        if number % 4 == 0:
            rule["chats"] = [EAST]
        listed.append(rule)
    return {"rules": listed}


def messages(rnd: random.Random, settings: Settings, count: int = 200) -> list[Message]:
    """What customers write: 40 characters or so, and one message in ten has a keyword."""
    some = [word for rule in settings.rules for word in rule.contains or rule.prefix]
    filler = words(rnd, 400)
    return [
        message(
            number, " ".join([*rnd.sample(filler, 10), *([rnd.choice(some)] if number % 10 == 0 else [])])
        )
        for number in range(count)
    ]


def message(number: int, text: str) -> Message:
    """A text as the router hands it over."""
    raw = json.dumps({"content": {"items": [{"type": "text", "text": text}]}}).encode()
    at = dt.datetime(2024, 5, 3, 12, tzinfo=dt.UTC)
    made = Message(f"m{number}", str(number), ACCOUNT, EAST, "room", ANN, "text", at, raw)
    return made if made.text == text else message(number, "")  # read once, before the clock starts


class NoNames:
    """Everybody is called by the id."""

    def of(self, wxid: str) -> str:
        """The id."""
        return wxid


def context(settings: Settings) -> Context:
    """What the handler gets; no rule here keeps state."""
    now = dt.datetime(2024, 5, 3, 12, tzinfo=dt.UTC)
    state, names = cast(State, None), cast(Names, NoNames())
    nobody = cast(Any, None)
    return Context(settings, nobody, now, "keyword_reply", Trace(), state, names, nobody)


def median_of(rounds: int, count: int, work: Callable[[], object]) -> float:
    """Microseconds for one of `count` things that `work` does."""
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        taken.append((time.process_time() - begun) / count * 1e6)
    return statistics.median(taken)


def measure(plugin: Plugin, rules: int) -> Row:
    """All figures for so many rules."""
    rnd = random.Random(7)  # noqa: S311 - the same words every time
    raw = table(rnd, rules)
    begun = time.process_time()
    settings: Settings = validate_settings(plugin.settings, raw, "plugins.keyword_reply")
    loaded = time.process_time() - begun
    said = messages(rnd, settings)
    literals = [(rule.literals, rule.regex) for rule in settings.rules]

    def matching() -> None:
        for each in said:
            settings.book.chances(each.text)

    def naive() -> None:
        for each in said:
            loop_over(literals, each.text)

    handler = asyncio.run(answered(plugin, settings, said))
    quick = median_of(ROUNDS, len(said), matching)
    return Row(rules, rules * WORDS_PER_RULE, loaded, quick, handler, median_of(3, len(said), naive))


def loop_over(rules: Sequence[tuple[Literals, Sequence[Pattern]]], text: str) -> list[int]:
    """What a bot without an automaton does: every word of every rule, one after the other."""
    words = normalise(text)
    return [
        number
        for number, (literals, patterns) in enumerate(rules)
        if words in literals.equals
        or any(words.startswith(word) for word in literals.prefix)
        or any(word in words for word in literals.contains)
        or (literals.contains_all and all(word in words for word in literals.contains_all))
        or any(pattern.search(text) is not None for pattern in patterns)
    ]


async def answered(plugin: Plugin, settings: Settings, said: Sequence[Message]) -> float:
    """Microseconds a message for the whole handler: matching, filters, decisions and trace."""
    handler = plugin.handlers[0].function
    taken = []
    for _ in range(ROUNDS):
        asked = [(each, context(settings)) for each in said]
        begun = time.process_time()
        for each, ctx in asked:
            await handler(each, ctx)
        taken.append((time.process_time() - begun) / len(said) * 1e6)
    return statistics.median(taken)


def shipped() -> Plugin:
    """The plugin as it comes with relay."""
    return load(Found("keyword_reply", Path(shipped_folder()) / "keyword_reply.py", "shipped"))


async def figures(_: Scale) -> list[Figure]:
    """The promised size alone, for the table of all benchmarks."""
    row = await asyncio.to_thread(measure, shipped(), PROMISED)
    of = f"among {row.keywords:,} keywords in {row.rules} rules"
    raw = row._asdict()
    return [
        Figure(f"a message {of}", row.handler, "µs", *at_most(row.handler, MOST_PER_MESSAGE), raw),
        Figure(f"the same without an automaton, {of}", row.naive, "µs"),
        Figure(f"loading {of[6:]}", row.load, "s", *at_most(row.load, MOST_TO_LOAD)),
    ]


def main() -> int:
    """Measure, print, and say whether the limits are kept."""
    plugin = shipped()
    rows = [measure(plugin, rules) for rules in SIZES]
    promised = next(row for row in rows if row.rules == PROMISED)
    kept = promised.handler < MOST_PER_MESSAGE and promised.load < MOST_TO_LOAD
    if "--json" in sys.argv:
        print(json.dumps({"kept": kept, "rows": [{**row._asdict(), "ratio": row.ratio} for row in rows]}))
    else:
        show(rows, kept)
    return 0 if kept else 1


def show(rows: Sequence[Row], kept: bool) -> None:
    """The table for people."""
    print("rules  keywords   load s   matching µs   whole handler µs   naive loop µs   ratio")
    for row in rows:
        print(
            f"{row.rules:5}  {row.keywords:8}  {row.load:7.3f}  {row.matching:12.1f}"
            f"  {row.handler:17.1f}  {row.naive:14.1f}  {row.ratio:6.0f}"
        )
    limits = (
        f"{PROMISED} rules: under {MOST_PER_MESSAGE:.0f} µs a message, loaded in under {MOST_TO_LOAD:.0f} s"
    )
    print(f"{limits}: {'kept' if kept else 'NOT KEPT'}")


if __name__ == "__main__":
    sys.exit(main())
