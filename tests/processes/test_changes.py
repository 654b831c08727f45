"""What is taken of a change: all that passes its check; what does not is told once and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from processes.live import LiveBot, free_ports
from processes.test_supervisor import GREETER, write_plugin
from structlog.testing import capture_logs

from relay.config import Files, load
from relay.config.texts import CHECK_FAILED
from relay.errors import ConfigurationError
from relay.language import finished
from relay.supervisor import changes
from relay.supervisor.changes import UNFINISHED, Change, Changes
from relay.supervisor.check import files_now
from relay.supervisor.trial import Finding, findings
from relay.testing import SECRETS

ORDER = '[plugins]\norder = ["greeter", "group_mirror", "keyword_reply"]\n[delivery]'


class Instant:
    """A check that is over when it begins; plugins load in a process of its own all the same."""

    pids: frozenset[int] = frozenset()

    def __init__(self, path: Path, files: Files, child: object) -> None:
        self.files = files
        self._found = [each for each in findings(path, files) if not each.warning]

    def over(self) -> bool:
        return True

    def findings(self) -> Sequence[Finding]:
        return self._found

    def judge(self, *, strictly: bool) -> None:
        if self._found and strictly:
            raise ConfigurationError(tuple(each.problem for each in self._found))

    def end(self) -> None:
        """There is nothing to let go of."""


class Slow(Instant):
    """One that takes a while, as they do."""

    looks = 0

    def over(self) -> bool:
        self.looks += 1
        return self.looks > 4


class Killed(Instant):
    """One that somebody ends as soon as it has begun, so many times."""

    left = 2

    def findings(self) -> Sequence[Finding]:
        Killed.left -= 1
        killed = Finding("plugins", CHECK_FAILED.filled(reason="ValueError"))
        return [killed] if Killed.left >= 0 else super().findings()


class Making:
    """A bot's files, and somebody who looks at what becomes of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = LiveBot(folder, free_ports(3)).config
        self.now = 0.0
        self.changes = self._begun()

    def _begun(self) -> Changes:
        return Changes(self.config, load(self.config), files_now(self.config), lambda: self)  # type: ignore[arg-type, return-value]

    def rewrite(self, old: str, new: str, *, anew: bool = False) -> None:
        """Change bot.toml, perhaps before anybody looks."""
        text = self.config.read_text("utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new), "utf-8")
        if anew:
            self.changes = self._begun()

    def plugin(self, name: str, text: str | None) -> None:
        """Save a plugin, or remove it."""
        path = self.folder / "plugins" / f"{name}.py"
        path.write_text(text, "utf-8") if text is not None else path.unlink()

    def made(self, *, asked: bool = False, looks: int = 8) -> tuple[Change | None, list[str]]:
        """The change that may be made, and the events of the log; all looks until nothing more happens."""
        change: Change | None = None
        with capture_logs() as logs:
            for look in range(looks):
                self.now += 0.25
                try:
                    change = self.changes.step(self.now, asked=asked and not look) or change
                except ConfigurationError:
                    logs.append({"event": "raised", "log_level": "error"})
        return change, [line["event"] for line in logs]

    def held(self, change: Change, name: str) -> bytes | None:
        return change.files.get(str(self.folder / "plugins" / f"{name}.py"))


@pytest.fixture
def making(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Making:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(changes, "Check", Instant)
    write_plugin(tmp_path, GREETER)
    return Making(tmp_path)


def other(name: str) -> str:
    return GREETER.replace("greeter", name)


def test_a_plugin_that_fails_keeps_no_other_one_from_its_new_version(making: Making) -> None:
    making.plugin("greeter", "broken(")
    making.plugin("other", other("other"))
    change, events = making.made()
    assert change is not None
    assert not change.whole
    assert making.held(change, "greeter") == GREETER.encode()
    assert making.held(change, "other") is not None
    assert events == ["plugin_refused"]


def test_what_was_refused_is_told_once_for_each_version(making: Making) -> None:
    making.plugin("greeter", "broken(")
    assert making.made() == (None, ["plugin_refused"])
    making.plugin("other", other("other"))
    assert making.made()[1] == []
    making.plugin("greeter", "broken in another way(")
    assert making.made()[1] == ["plugin_refused"]


def test_a_rule_concerns_the_router_alone_and_a_time_limit_everybody(making: Making) -> None:
    making.rewrite("100 yuan", "90 yuan")
    change, _ = making.made()
    assert change is not None
    assert not change.whole
    making.rewrite("[delivery]", "[delivery]\nmax_attempts = 3")
    change, _ = making.made()
    assert change is not None
    assert change.whole


def test_a_broken_configuration_changes_nothing_and_holds_up_no_plugin(making: Making) -> None:
    making.rewrite("contains", "contians")
    making.plugin("greeter", GREETER.replace("hello", "HELLO"))
    change, events = making.made()
    assert change is not None
    assert not change.whole
    assert b"HELLO" in (making.held(change, "greeter") or b"")
    assert b"contians" not in change.files["bot.toml"]
    assert events == ["reload_refused"]


@pytest.mark.parametrize("text", ["= not toml", "[plugins]\nfolder = 1"])
def test_a_configuration_that_tells_no_folder_removes_no_plugin(making: Making, text: str) -> None:
    making.config.write_text(text, "utf-8")
    change, events = making.made()
    assert change is None
    assert set(events) == {"reload_refused"}


def test_settings_are_taken_beside_a_plugin_that_does_not_load(making: Making) -> None:
    making.plugin("greeter", "broken(")
    making.rewrite("100 yuan", "90 yuan")
    change, events = making.made()
    assert change is not None
    assert b"90 yuan" in change.files["bot.toml"]
    assert making.held(change, "greeter") == GREETER.encode()
    assert events == ["plugin_refused"]


def test_a_file_that_the_order_still_names_stays(making: Making) -> None:
    making.rewrite("[delivery]", ORDER, anew=True)
    making.plugin("greeter", None)
    assert making.made() == (None, ["plugin_refused"])
    making.rewrite('"greeter", ', "")
    change, _ = making.made()
    assert change is not None
    assert making.held(change, "greeter") is None


def test_what_needs_a_restart_is_refused_and_told_once(making: Making) -> None:
    making.rewrite("[server]\nport", "[server]\nhost = '127.0.0.2'\nport")
    assert making.made() == (None, ["reload_refused"])
    assert making.made() == (None, [])


def test_a_reload_that_was_asked_for_takes_everything_or_nothing(making: Making) -> None:
    making.plugin("greeter", "broken(")
    assert making.made(asked=True) == (None, ["raised", "plugin_refused"])  # as a whole, and then by itself
    making.plugin("greeter", GREETER)
    change, _ = making.made(asked=True)
    assert change is not None
    assert change.whole


def test_what_needs_no_new_process_is_taken_of_a_change_that_could_not_be_made(making: Making) -> None:
    before, files = load(making.config), files_now(making.config)
    making.rewrite("[delivery]", "[delivery]\nmax_attempts = 3")
    making.plugin("greeter", GREETER.replace("hello", "HELLO"))
    change, _ = making.made()
    assert change is not None
    assert change.whole
    making.changes.revert(change, before, files)
    change, _ = making.made()
    assert change is not None
    assert not change.whole
    assert b"HELLO" in (making.held(change, "greeter") or b"")
    assert b"max_attempts" not in change.files["bot.toml"]


def test_a_plugin_saved_just_before_a_reload_is_taken_though_another_one_has_it_refused(
    making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "Check", Slow)
    making.plugin("greeter", "broken(")
    making.plugin("other", other("other"))
    change, events = making.made(asked=True, looks=20)  # its check is not over when the look finds them
    assert events == ["raised", "plugin_refused"]
    assert change is not None
    assert not change.whole
    assert making.held(change, "greeter") == GREETER.encode()
    assert making.held(change, "other") is not None


def test_a_plugin_that_did_not_change_and_cannot_be_loaded_now_holds_up_no_other(
    making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Finding("plugins.greeter", finished("does not finish loading"), plugin="greeter")
    monkeypatch.setattr(Instant, "findings", lambda _: [lost])
    making.plugin("other", other("other"))
    change, events = making.made()
    assert change is not None
    assert making.held(change, "greeter") == GREETER.encode()
    assert making.held(change, "other") is not None
    assert events == ["plugin_refused"]


def test_a_check_that_was_cut_off_is_told_once_and_tried_again_after_a_rising_wait(
    making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "Check", Killed)
    monkeypatch.setattr(Killed, "left", 2)
    making.plugin("greeter", GREETER.replace("hello", "HELLO"))
    assert making.made() == (None, ["reload_refused"])
    making.now += UNFINISHED[0]
    assert making.made() == (None, [])
    making.now += UNFINISHED[0]
    assert making.made() == (None, []), "it is not its time yet"
    making.now += UNFINISHED[1]
    change, events = making.made()
    assert change is not None
    assert events == []


class Noting(Instant):
    """Remembers by which process each check is made; None: one that loads what is on disk."""

    by: ClassVar[list[object]] = []

    def __init__(self, path: Path, files: Files, child: object) -> None:
        super().__init__(path, files, child)
        self.by.append(child)


def test_a_reload_is_checked_by_the_program_on_disk_and_what_was_saved_by_the_one_that_runs(
    making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "Check", Noting)
    monkeypatch.setattr(Noting, "by", [])
    making.plugin("greeter", GREETER.replace("hello", "HELLO"))
    making.made()
    making.made(asked=True)
    assert Noting.by == [making, None]
