"""The commands that operators type."""

from relay.cli.program import main

__all__ = ["main"]
