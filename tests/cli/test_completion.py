"""What the Tab key offers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli.conftest import Relay

Tab = Callable[[str], list[str]]


@pytest.fixture
def tab(
    relay: Relay, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], filled: Path
) -> Tab:
    """The values offered for a line: `tab("deliveries --state he")`."""

    def offered(line: str) -> list[str]:
        command, *rest = line.split(" ")
        words = ["relay", command, "--config", str(filled), *rest]
        monkeypatch.setenv("_RELAY_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", " ".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        with pytest.raises(SystemExit, match="0"):
            relay()
        return capfd.readouterr().out.split()

    return offered


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("deliveries --state he", ["held"]),
        ("deliveries --state held,fa", ["held,failed"]),
        ("retry --state ", ["held", "failed", "expired"]),
        ("discard --state q", ["queued"]),
        ("messages --chat ea", ["east"]),
        ("deliveries --chat ", ["east", "west", "both"]),
        ("run --role s", ["sender"]),
        ("retry ", []),
    ],
)
def test_values_are_offered(tab: Tab, line: str, offered: list[str]) -> None:
    assert tab(line) == offered


def test_the_help_tells_how_to_switch_it_on(relay: Relay) -> None:
    assert "--install-completion" in relay("--help").out
