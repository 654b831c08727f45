"""What came of the suite, in a table: a line for each rule that was tried, in however many parts."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

COLUMNS = ("faults", "answered", "stored", "deliveries", "effects", "held")
PLAIN_WIDTH = 150  # where no terminal says how wide it is
_PART = re.compile(r"-?\b\d+-\d+\]$")  # of a test in parts: which, and how many faults are in it


def subject(nodeid: str) -> str:
    """What a test is about, in words: its rule, and its case unless that is only the number of a part."""
    _, _, name = nodeid.rpartition("::")
    name = _PART.sub("]", name).replace("[]", "")
    rule, _, case = name.partition("[")
    words = rule.removeprefix("test_").replace("_", " ")
    return f"{words} ({case.removesuffix(']')})" if case else words


@dataclass(slots=True)
class Row:
    """All parts of one test."""

    parts: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    figures: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    violations: Counter[str] = field(default_factory=Counter)

    def add(self, other: Row) -> None:
        """Count what another one has to this one's."""
        self.parts += other.parts
        self.failed += other.failed
        self.skipped += other.skipped
        self.seconds += other.seconds
        self.figures.update(other.figures)
        self.violations.update(other.violations)

    @property
    def outcome(self) -> Text:
        """In one word."""
        if self.failed:
            return Text("FAILED" if self.failed == self.parts else f"{self.failed} FAILED", "bold red")
        return Text("skipped", "yellow") if self.skipped == self.parts else Text("passed", "green")


class Summary:
    """Adds up the reports of pytest; a test says of itself `figures`, `violations` and `note`s."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    def add(self, report: pytest.TestReport) -> None:
        """Take a test's outcome in; of its phases only the call counts, or one that went wrong."""
        if report.when != "call" and report.passed:
            return
        row = self.rows.setdefault(subject(report.nodeid), Row())
        row.parts += 1
        row.failed += report.failed
        row.skipped += report.skipped
        row.seconds += report.duration
        for name, value in report.user_properties:
            if name in ("figures", "violations") and isinstance(value, dict):
                (row.figures if name == "figures" else row.violations).update(value)
            elif name == "note":
                row.notes.append(str(value))

    @property
    def violations(self) -> int:
        """How many there were in all."""
        return sum(row.violations.total() for row in self.rows.values())

    def print(self) -> None:
        """Show the table, if any of what ran has figures."""
        if not any(row.figures for row in self.rows.values()):
            return
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=PLAIN_WIDTH)
        console.print()
        console.print(self.table())

    def table(self) -> Table:
        """A line for each, and one for all."""
        table = Table(title="The fault suite", title_justify="left", title_style="bold")
        table.add_column("what was tried")
        for column in ("parts", *COLUMNS, "violations", "time"):
            table.add_column(column, justify="right")
        table.add_column("")
        total = Row()
        for name, row in self.rows.items():
            total.add(row)
            table.add_row(*_cells(name, row))
        table.add_section()
        table.add_row(*_cells("all of it", total), style="bold")
        return table


def _cells(name: str, row: Row) -> list[str | Text]:
    words = Text(name)
    for rule, times in row.violations.items():
        words.append(f"\n  {times:,} x not {rule}", "red")
    for note in row.notes:
        words.append(f"\n  {note}", "dim")
    figures = [f"{row.figures[column]:,}" if column in row.figures else "" for column in COLUMNS]
    found = str(row.violations.total()) if row.figures else ""
    minutes, seconds = divmod(round(row.seconds), 60)
    return [words, str(row.parts), *figures, found, f"{minutes}:{seconds:02}", row.outcome]
