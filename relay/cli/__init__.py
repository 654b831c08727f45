"""The commands that operators type."""

from relay.cli.app import main

__all__ = ["main"]
