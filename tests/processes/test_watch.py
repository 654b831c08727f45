"""Changes are noticed once they stay as they are, whatever the file system's clock says of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from processes.live import LiveBot, free_ports
from processes.test_supervisor import GREETER, write_plugin

from relay.config import Files, load
from relay.errors import ConfigurationError
from relay.supervisor.check import files_now
from relay.supervisor.watch import LOOK, RACY, Watch
from relay.testing import SECRETS


class Watching:
    """A watch whose time passes from look to look."""

    def __init__(self, folder: Path) -> None:
        self.config = LiveBot(folder, free_ports(3)).config
        self.plugin = folder / "plugins" / "greeter.py"
        self.now = 0.0
        self.watch = Watch(self.config, load(self.config).plugins.folder, files_now(self.config))

    def look(self, times: int = 1) -> Files | None:
        """The news of the last of so many looks."""
        news = None
        for _ in range(times):
            self.now += LOOK
            news = self.watch.news(self.now)
        return news

    def settle(self) -> None:
        """Look until the times of files alone tell of changes."""
        assert self.look(int(RACY / LOOK) + 4) is None


@pytest.fixture
def watching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watching:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    write_plugin(tmp_path, GREETER)
    made = Watching(tmp_path)
    made.settle()
    return made


def test_nothing_is_news_where_nothing_changes(watching: Watching) -> None:
    assert watching.look(20) is None


def test_a_change_is_told_once_two_looks_agree_on_it(watching: Watching) -> None:
    watching.plugin.write_text("half of", "utf-8")
    assert watching.look() is None
    watching.plugin.write_text("half of it and the other half", "utf-8")
    assert watching.look() is None
    news = watching.look()
    assert news is not None
    assert news[str(watching.plugin)] == b"half of it and the other half"
    assert watching.look(20) is None


def test_a_second_change_of_the_same_size_at_the_same_time_is_noticed(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching.plugin.write_text("one", "utf-8")
    assert watching.look(2) is not None
    same = watching.watch._seen
    watching.plugin.write_text("two", "utf-8")
    monkeypatch.setattr("relay.supervisor.watch.marks_of", lambda *_: same)
    news = watching.look(2)
    assert news is not None
    assert news[str(watching.plugin)] == b"two"


def test_a_file_whose_time_is_put_back_is_noticed_long_after(watching: Watching) -> None:
    before = watching.plugin.stat()
    text = watching.plugin.read_text("utf-8")
    watching.plugin.write_text(text.replace("hello", "HELLO"), "utf-8")
    os.utime(watching.plugin, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert watching.look(2) is not None


def test_a_file_that_is_added_and_one_that_is_removed_are_changes(watching: Watching) -> None:
    package = watching.plugin.parent / "pack"
    (package / "deep").mkdir(parents=True)
    for file in (package / "__init__.py", package / "deep" / "more.py"):
        file.write_text("", "utf-8")
    watching.plugin.unlink()
    news = watching.look(2)
    assert news is not None
    paths = {Path(name).name for name in news if Path(name).is_absolute()}
    assert paths == {"__init__.py", "more.py"}


def test_a_folder_that_vanishes_changes_nothing_until_it_is_back(watching: Watching) -> None:
    folder = watching.plugin.parent
    shutil.move(folder, folder.with_name("elsewhere"))
    assert watching.look(20) is None
    shutil.move(folder.with_name("elsewhere"), folder)
    assert watching.look(20) is None
    watching.plugin.write_text("new", "utf-8")
    assert watching.look(2) is not None


def test_a_configuration_that_cannot_be_read_is_told_once(watching: Watching) -> None:
    text = watching.config.read_bytes()
    watching.config.unlink()
    with pytest.raises(ConfigurationError):
        watching.look(2)
    assert watching.look(20) is None
    watching.config.write_bytes(text)
    assert watching.look(2) == files_now(watching.config)
