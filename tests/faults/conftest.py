"""Shows how far a long run is, and what came of it in a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

COLUMNS = ("kills", "answered", "stored", "deliveries", "effects", "held")


@pytest.fixture
def progress(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say in one line, over the last one, how far it is; silent where nobody looks."""
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    if reporter is None or capture is None or not reporter.isatty:
        return lambda words: None

    def show(words: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.rewrite(f"  {request.node.name}: {words}", erase=True)

    return show


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [*terminalreporter.stats.get("passed", []), *terminalreporter.stats.get("failed", [])]
    told = [(report.nodeid.rpartition("::")[2], dict(report.user_properties)) for report in reports]
    lines = [(name, said["figures"], said["violations"]) for name, said in told if "figures" in said]
    if lines:
        _table(terminalreporter, lines)


def _table(terminal: Any, lines: list[tuple[str, dict[str, int], dict[str, int]]]) -> None:
    terminal.section("faults")
    width = max(len(name) for name, _, _ in lines)
    terminal.write_line(" ".join([" " * width, *(f"{column:>10}" for column in COLUMNS), "violations"]))
    total: Counter[str] = Counter()
    for name, figures, violations in lines:
        total.update(figures)
        total["violations"] += sum(violations.values())
        terminal.write_line(_line(name.ljust(width), figures, sum(violations.values())))
        for rule, times in violations.items():
            terminal.write_line(f"    {times} x not {rule}", red=True)
    terminal.write_line(_line("all of it".ljust(width), total, total["violations"]), bold=True)


def _line(name: str, figures: dict[str, int], violations: int) -> str:
    return " ".join([name, *(f"{figures.get(column, 0):>10}" for column in COLUMNS), f"{violations:>10}"])
