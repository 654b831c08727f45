"""A screen that shows how far the suite is, while several tests run at a time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from faults.summary import subject
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text


class Board:
    """A plugin of pytest's: a line for each test that ended, and below them what is under way."""

    def __init__(self, words: Path) -> None:
        self._words = words
        self._console = Console(highlight=False)
        self._began = time.monotonic()
        self._total = 0
        self._ended = 0
        self._failed = 0
        self._violations = 0
        self._live = Live(
            console=self._console, get_renderable=self._screen, refresh_per_second=2, transient=True
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        """Keep pytest from printing letters of its own."""
        return (report.outcome, "", "") if report.when == "call" or not report.passed else None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Without workers of its own, it knows how many there are from here."""
        self._begin(len(session.items))

    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """With workers, from any of them."""
        self._begin(len(ids))

    def _begin(self, total: int) -> None:
        self._total = self._total or total
        if self._total and self._console.is_terminal:
            self._live.start()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count what ended, and say so."""
        if report.when != "call" and report.passed:
            return
        self._ended += 1
        self._failed += report.failed
        found = dict(report.user_properties).get("violations")
        self._violations += sum(found.values()) if isinstance(found, dict) else 0
        colour = {"passed": "green", "failed": "bold red"}.get(report.outcome, "yellow")
        line = Text(f"{self._spent()} {self._ended:>4} of {self._total}  ")
        line.append(report.outcome, colour).append(f"  {subject(report.nodeid)} ({report.duration:.0f} s)")
        self._console.print(line, soft_wrap=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Leave the screen to what went wrong, and to the table."""
        self._live.stop()

    def _spent(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return f"{minutes:>3}:{seconds:02}"

    def _screen(self) -> RenderableType:
        head = Table.grid(padding=(0, 2))
        told = Text(f"{self._ended} of {self._total}")
        told.append(f"   {self._violations} violations", "bold red" if self._violations else "green")
        told.append(f"   {self._failed} failed", "bold red" if self._failed else "green")
        head.add_row(self._spent(), ProgressBar(max(1, self._total), self._ended, width=30), told)
        return Group(head, *(Text(f"  {words}", "cyan", no_wrap=True) for words in self._said()))

    def _said(self) -> list[str]:
        found = []
        for path in sorted(self._words.glob("*.now")):
            try:
                found.append(path.read_text("utf-8"))
            except OSError:  # it is being said anew
                continue
        return found
