"""A check of files as they were read: what plugins do on import ends with this process.

    python -m relay.supervisor.trial PATH SHELF TOLD

Two descriptors: SHELF is of a file that says what bot.toml, `.env` and the plugins' files held, TOLD of one
for a list of `Finding`s.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from relay.cli.census import IN_FULL, census
from relay.config import Config, Files, load
from relay.config.problems import key_path
from relay.config.texts import CHECK_FAILED
from relay.errors import ConfigurationError, LostPluginError, PluginError, Problem
from relay.language import Said, Words, finished
from relay.log import Masking


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, and which plugin it is to blame on, if on any."""

    path: str
    message: Said
    value: str | None = None
    hint: Said | None = None
    plugin: str = ""
    line: int | None = None
    warning: bool = False
    failed: bool = False  #: the plugin's file does not load, and the bot can start without it

    @property
    def unfinished(self) -> bool:
        """Whether it is nobody's fault that can be named: the check did not come to its end."""
        return self.message.code == CHECK_FAILED.code

    @property
    def problem(self) -> Problem:
        """The same, as the configuration's problems are told."""
        return Problem(self.path, self.message, self.value, self.hint)


def findings(path: Path, files: Files) -> Iterator[Finding]:
    """All that is wrong with these files."""
    try:
        config = load(path, files=files)
    except ConfigurationError as exc:
        yield from (_finding(problem, "") for problem in exc.problems)
        return
    taken = census(config, IN_FULL)
    masking = Masking(config.secrets())
    for problem in taken.problems:
        yield _finding(problem, _plugin_of(problem, config))
    for found, error in taken.failed:
        yield _failure(found.name, error.placed(error.file, masking.text))
    for problem in taken.advice(config):
        yield replace(_finding(problem, ""), warning=True)


def read(told: bytes) -> list[Finding]:
    """What the process wrote; ValueError, TypeError or LookupError for anything else."""
    return [_read(**row) for row in json.loads(told)]


def _read(message: Sequence[str], hint: Sequence[str] | None, **row: object) -> Finding:
    said = None if hint is None else Said(*hint)
    return Finding(message=Said(*message), hint=said, **row)  # type: ignore[arg-type]


def _failure(name: str, error: PluginError) -> Finding:
    told = replace(_finding(error.problem, name), line=error.line)
    return replace(told, failed=not isinstance(error, LostPluginError))


def _finding(problem: Problem, plugin: str) -> Finding:
    return Finding(problem.path, finished(problem.message), problem.value, _said(problem.hint), plugin)


def _said(words: Words | None) -> Said | None:
    return None if words is None else finished(words)


def _plugin_of(problem: Problem, config: Config) -> str:
    """The plugin whose table, or place in the order, the problem is about."""
    for index, name in enumerate(config.plugins.order):
        if problem.path == f"plugins.order[{index}]":
            return name
    tables: Iterable[str] = sorted(config.plugins.settings, key=len, reverse=True)
    for name in tables:
        at = key_path(("plugins", name))
        if problem.path == at or problem.path.startswith((f"{at}.", f"{at}[")):
            return name
    return ""


def main(arguments: Sequence[str]) -> int:
    """Check what the command line says."""
    return try_out(Path(arguments[0]), *map(int, arguments[1:]))


def try_out(path: Path, shelf: int, told: int) -> int:
    """Check what the shelf holds, and write what is wrong with it; what plugins print goes nowhere."""
    with Path(os.devnull).open("w") as nowhere:
        for stream in (1, 2):
            os.dup2(nowhere.fileno(), stream)
    for each in (shelf, told):
        os.set_inheritable(each, False)
    text = os.pread(shelf, os.fstat(shelf).st_size, 0)
    os.close(shelf)
    files = {name: held.encode("latin-1") for name, held in json.loads(text).items()}
    found = json.dumps([asdict(each) for each in findings(path, files)]).encode()
    os.pwrite(told, found, 0)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
