"""What changed in bot.toml and plugins: checked before anybody hears of it, and taken as far as it passes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from relay.config import Config, Files, load, texts
from relay.errors import ConfigurationError, Problem
from relay.supervisor.check import Check, files_now
from relay.supervisor.child import Child
from relay.supervisor.trial import Finding
from relay.supervisor.watch import Watch

log = structlog.get_logger("relay.supervisor")

FIXED = (("server", "host"), ("server", "port"), ("console", "host"), ("console", "port"), ("storage", "url"))

AGAIN = 5.0  # seconds after which a check is tried again that there was no process for
UNFINISHED = (5.0, 30.0, 120.0, 600.0)  # the same, of one that did not come to its end


@dataclass(frozen=True, slots=True)
class Change:
    """What is to run from now on."""

    config: Config
    files: Files
    whole: bool  #: whether all roles are to begin anew, or the router has nothing but plugins to swap


class Changes:
    """Finds them by looks and on request, and has them checked in processes of their own; never waits."""

    def __init__(self, path: Path, config: Config, files: Files, child: Callable[[], Child | None]) -> None:
        """`config` and `files` are what runs; `child` gives a process to check in, None while none is."""
        self._child = child
        self._path = path
        self._config = config
        self._files = files
        self._watch = Watch(path, config.plugins.folder, files)
        self._check: Check | None = None
        self._due: Files | None = None  #: to be checked, once there is a process for it
        self._again_at = 0.0
        self._unfinished = 0  #: checks of these files that did not come to their end
        self._judged: Files | None = None  #: by the last look; of these, what passes was taken
        self._asked = False
        self._refused: dict[str, Files] = {}  #: what was last told of, by plugin

    @property
    def pids(self) -> set[int]:
        """The processes of a check under way."""
        return self._check.pids if self._check is not None else set()

    def step(self, now: float, *, asked: bool) -> Change | None:
        """Look and go on; a change that may be made comes back, once.

        When `asked`, everything begins anew if all of it passes. Raises `ConfigurationError` for what does
        not; what was asked for is then looked at like anything that was saved.
        """
        try:
            return self._step(now, asked=asked)
        except ConfigurationError:
            files = self._due if self._check is None else self._check.files
            self.end()
            if files is not None and files != self._judged:
                self._begin(files)
            raise

    def _step(self, now: float, *, asked: bool) -> Change | None:
        news = self._watch.news(now)
        if asked:
            self._asked = True
            self._begin(files_now(self._path, self._config.plugins.folder))
        elif news is not None:
            self._begin(news)
        if self._due is not None and now >= self._again_at:
            self._try_check(self._due, now)
        if self._check is None or not self._check.over():
            return None
        return self._asked_for(self._check) if self._asked else self._found(self._check, now)

    def end(self) -> None:
        """Let go of a check under way."""
        self._asked = False
        self._end_check()

    def revert(self, change: Change, config: Config, files: Files) -> None:
        """This could not be made, and these run on; what of it needs no new processes is found by itself."""
        self._config, self._files = config, files
        self._watch.follow(config.plugins.folder, files)
        if change.whole and self._check is None and self._due is None:
            beyond = _beyond_plugins(config, change.config)
            self._begin(self._under_old_settings(change.files) if beyond else change.files)

    def _begin(self, files: Files) -> None:
        self._end_check()
        self._again_at, self._unfinished = 0.0, 0
        if self._asked or files != self._files:
            self._due = files

    def _try_check(self, files: Files, now: float) -> None:
        try:
            # A reload that was asked for runs the code on disk: a process of its own checks it, with that.
            child = None if self._asked else self._child()
            if child is not None or self._asked:
                self._check = Check(self._path, files, child)
                self._due = None
        except OSError as exc:  # no more processes or descriptors for now
            log.error("check_not_begun", error=type(exc).__name__)
            self._again_at = now + AGAIN

    def _end_check(self) -> None:
        self._due = None
        if self._check is not None:
            self._check.end()
            self._check = None

    def _asked_for(self, check: Check) -> Change:
        check.judge(strictly=True)
        config = load(self._path, files=check.files)
        refuse_moves(self._config, config)
        return self._accepted(config, check.files, whole=True)

    # -- found by looks --------------------------------------------------------

    def _found(self, check: Check, now: float) -> Change | None:
        """All of it, or as much as may be: a plugin that fails keeps no other one from its new version."""
        findings = check.findings()
        if any(each.unfinished for each in findings):
            self._try_later(check.files, findings, now)
            return None
        self._judged = check.files
        same = _settings(check.files) == _settings(self._files)
        changed = self._changed(check.files)
        found = [each for each in findings if not each.failed or each.plugin in changed]
        bad = [each for each in found if each.plugin and (same or (each.failed and each.plugin in changed))]
        grave = [each.problem for each in found if each not in bad]
        self._tell_refused(bad, check.files)
        files = self._without(check.files, {each.plugin for each in bad})
        if not same and bad and not grave:
            self._begin_anew(files)
            return None
        if not same:
            return self._with_settings(check.files, grave)
        if grave:
            raise ConfigurationError(tuple(grave))
        if files == self._files:
            self.end()
            return None
        return self._accepted(load(self._path, files=files), files, whole=False)

    def _try_later(self, files: Files, findings: Iterable[Finding], now: float) -> None:
        """Whatever ended the check (no memory, an operator) may be over then."""
        self._end_check()
        if not self._unfinished:
            tell_refused(ConfigurationError(tuple(each.problem for each in findings)))
        self._again_at = now + UNFINISHED[min(self._unfinished, len(UNFINISHED) - 1)]
        self._unfinished += 1
        self._due = files

    def _begin_anew(self, files: Files) -> None:
        self.end()
        self._begin(files)

    def _with_settings(self, files: Files, problems: list[Problem]) -> Change | None:
        """Settings pass with everything, or not at all; then plugins may do so under those that run."""
        try:
            if problems:
                raise ConfigurationError(tuple(problems))
            config = load(self._path, files=files)
            refuse_moves(self._config, config)
        except ConfigurationError as exc:
            tell_refused(exc)
            self._begin_anew(self._under_old_settings(files))
            return None
        return self._accepted(config, files, whole=_beyond_plugins(self._config, config))

    def _under_old_settings(self, files: Files) -> Files:
        """What the plugins' files hold, if they are those that the settings speak of."""
        with contextlib.suppress(ConfigurationError):
            if load(self._path, files=files).plugins.folder != self._config.plugins.folder:
                return self._files
        return {**_plugins(files), **_settings(self._files)}

    def _tell_refused(self, found: Iterable[Finding], files: Files) -> None:
        """Once for each version of a plugin."""
        folder = self._config.plugins.folder
        for each in found:
            version = {file: files[file] for name, file in _by_plugin(files, folder) if name == each.plugin}
            if self._refused.get(each.plugin) != version:
                error = str(each.message) if each.failed else str(each.problem)
                log.error("plugin_refused", plugin=each.plugin, error=error, file=each.path, line=each.line)
            self._refused[each.plugin] = version

    def _changed(self, files: Files) -> set[str]:
        """The plugins that have come, gone, or hold something else."""
        folder = self._config.plugins.folder
        differing = {name for name, _ in files.items() ^ self._files.items()}
        return {name for name, _ in _by_plugin(differing, folder)}

    def _without(self, files: Files, plugins: set[str]) -> Files:
        """These files, but for some plugins what they held before."""
        folder = self._config.plugins.folder
        kept = {file for name, file in _by_plugin(self._files, folder) if name in plugins}
        left = {file for name, file in _by_plugin(files, folder) if name in plugins}
        return {
            **{file: held for file, held in files.items() if file not in left},
            **{file: self._files[file] for file in kept},
        }

    def _accepted(self, config: Config, files: Files, *, whole: bool) -> Change:
        self.end()
        self._judged = None
        self._config, self._files = config, files
        self._watch.follow(config.plugins.folder, files)
        return Change(config, files, whole)


def refuse_moves(before: Config, config: Config) -> None:
    """What the sockets and the database are bound to cannot change under them."""
    moved = [
        f"{table}.{key}"
        for table, key in FIXED
        if getattr(getattr(config, table), key) != getattr(getattr(before, table), key)
    ]
    if config.console.enabled != before.console.enabled:
        moved.append("console.enabled")
    if moved:
        raise ConfigurationError(tuple(Problem(path, texts.NEEDS_RESTART) for path in moved))


def tell_refused(exc: ConfigurationError) -> None:
    """Say why what runs goes on as it is."""
    for problem in exc.problems:
        log.error("reload_refused", problem=str(problem))


def _settings(files: Files) -> Files:
    return {name: held for name, held in files.items() if not Path(name).is_absolute()}


def _plugins(files: Files) -> Files:
    return {name: held for name, held in files.items() if Path(name).is_absolute()}


def _by_plugin(files: Iterable[str] | Mapping[str, bytes], folder: Path) -> Iterator[tuple[str, str]]:
    """Each file in the folder, with the plugin that it belongs to."""
    for file in files:
        path = Path(file)
        if path.is_absolute() and path.is_relative_to(folder):
            yield path.relative_to(folder).parts[0].removesuffix(".py"), file


def _beyond_plugins(before: Config, after: Config) -> bool:
    """Whether anything differs that more than the router's plugins depend on."""
    return _common(before) != _common(after) or _longest(before) != _longest(after)


def _common(config: Config) -> Config:
    plugins = replace(config.plugins, order=(), disabled=(), timeouts={}, settings={}, held=None)
    return replace(config, plugins=plugins, warnings=(), filled_in=())


def _longest(config: Config) -> float:
    """How long a handler may take: so long the supervisor lets the router be silent."""
    return max(each.seconds for each in (config.plugins.timeout, *config.plugins.timeouts.values()))
