"""`relay run` without the libraries of the command line: every role is a process, and holds them for good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROLES = ("all", "receiver", "router", "sender", "console")


@dataclass(slots=True)
class Serving:
    """What a plain `relay run` asks for."""

    config: Path = Path("bot.toml")
    role: str = "all"
    with_parent: bool = False

    def serve(self) -> int:
        """Serve until told to end; returns the exit code."""
        from relay.run import run

        if self.with_parent:
            from relay.cli.parent import end_with_parent

            end_with_parent()
        return run(self.config, self.role)


def read(arguments: Sequence[str]) -> Serving | None:
    """What is asked for, if it is to run and every word is plain; the rest (help, mistakes) is for typer."""
    if not arguments or arguments[0] != "run":
        return None
    serving = Serving()
    words = iter(arguments[1:])
    return serving if all(_read(serving, word, words) for word in words) else None


def _read(serving: Serving, option: str, words: Iterator[str]) -> bool:
    if option == "--with-parent":
        serving.with_parent = True
        return True
    value = next(words, "")
    if option in ("--config", "-c") and value:
        serving.config = Path(value)
        return True
    serving.role = value
    return option == "--role" and value in ROLES
