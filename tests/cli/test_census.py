"""Whatever plugins do on import, commands and the console tell of it and go on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli.conftest import Relay

from relay.cli import check, status
from relay.cli.census import Census, Patience, census
from relay.config import load
from relay.console.inspections import Inspections, command
from relay.errors import LostPluginError
from relay.testing import SECRETS, ManualClock

GOOD = "from relay import Plugin\nplugin = Plugin('{name}')\n"
HANGING = "while True:\n    pass\n"
QUICK = Patience(0.4, 10)


def write(bot: Path, **plugins: str) -> Path:
    folder = bot.parent / "plugins"
    folder.mkdir(exist_ok=True)
    for name, text in plugins.items():
        (folder / f"{name}.py").write_text(text.format(name=name), "utf-8")
    return folder


def taken(bot: Path, patience: Patience = QUICK) -> Census:
    return census(load(bot, SECRETS), patience)


def test_a_plugin_that_hangs_is_told_and_the_others_load(fresh: Path) -> None:
    folder = write(fresh, aa=GOOD, hangs=HANGING, zz=GOOD)
    found = taken(fresh)
    ((which, error),) = found.failed
    assert (which.name, error.file) == ("hangs", str(folder / "hangs.py"))
    assert error.message.startswith("does not finish loading within 0.4 s (put")
    assert {"aa", "zz"} < {each.name for each in found.loaded}


def test_many_that_hang_take_no_more_than_the_whole_time(fresh: Path) -> None:
    write(fresh, **{f"hangs{number}": HANGING for number in range(5)})
    begun = time.monotonic()
    found = taken(fresh, Patience(0.4, 0.6))
    assert time.monotonic() - begun < 3
    assert len(found.failed) == 5
    assert "was not loaded" in found.failed[-1][1].message


DEATHS = [("import os; os._exit(3)", "exit code 3"), ("import os; os.kill(os.getpid(), 9)", "SIGKILL")]


@pytest.mark.parametrize(("text", "ending"), DEATHS)
def test_a_plugin_that_ends_its_process_is_told(fresh: Path, text: str, ending: str) -> None:
    write(fresh, dies=text, zz=GOOD)
    found = taken(fresh)
    assert [(each.name, ending in error.message) for each, error in found.failed] == [("dies", True)]
    assert isinstance(found.failed[0][1], LostPluginError)
    assert found.loaded[-1].name == "zz"


def test_control_the_same_plugin_ends_a_process_that_loads_it_itself(fresh: Path) -> None:
    write(fresh, dies=DEATHS[0][0])
    code = "import sys, pathlib; from relay.config import load; from relay.roles import load_plugins; "
    code += "load_plugins(load(pathlib.Path(sys.argv[1])))"
    ended = subprocess.run([sys.executable, "-c", code, str(fresh)], timeout=30, check=False, env=SECRETS)
    assert ended.returncode == 3


@pytest.mark.skipif(sys.platform != "linux", reason="no other system keeps to the limit")
def test_a_plugin_that_fills_memory_has_no_more_than_bot_toml_allows(fresh: Path) -> None:
    write(fresh, large="x = 1\ny = bytearray(2 << 30)\n", zz=GOOD)
    ((_, error),) = taken(fresh).failed
    assert (error.message, error.line) == ("MemoryError", 2)


def test_check_tells_a_plugin_that_hangs_with_its_file(
    relay: Relay, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "IN_FULL", QUICK)
    folder = write(fresh, hangs=HANGING)
    ended = relay("check", "--config", str(fresh))
    assert ended.code == 2
    assert f"{folder / 'hangs.py'}：0.4 秒内没加载完" in ended.out


def test_status_answers_and_shows_a_plugin_that_hangs(
    relay: Relay, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "AT_A_LOOK", QUICK)
    write(empty, hangs=HANGING)
    *_, hangs = relay("status", "--config", str(empty), "--json").json()["plugins"]
    assert (hangs["name"], hangs["state"]) == ("hangs", "failed")
    assert "秒内没加载完" in hangs["error"]["message"]


# --- the console ---------------------------------------------------------------------------------


def test_the_console_loads_no_plugin_itself(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    write(fresh, dies=DEATHS[0][0])
    rows = asyncio.run(_rows(Inspections(command(fresh), ManualClock())))
    assert [(row["name"], row["state"]) for row in rows][-1] == ("dies", "failed")


async def _rows(inspect: Inspections) -> list[dict[str, object]]:
    return list(await inspect())


def counting(tmp_path: Path, state: str) -> tuple[Inspections, Path, ManualClock]:
    """Some other program in place of ours, which leaves a mark each time that it is asked."""
    marks, clock = tmp_path / "marks", ManualClock()
    code = f'open({str(marks)!r}, \'a\').write(\'x\'); print(\'[{{"name": "a", "state": "{state}"}}]\')'
    return Inspections((sys.executable, "-c", code), clock), marks, clock


@pytest.mark.parametrize(("state", "asked"), [("active", "x"), ("failed", "xx")])
def test_what_did_not_load_is_looked_at_again(tmp_path: Path, state: str, asked: str) -> None:
    inspect, marks, clock = counting(tmp_path, state)

    async def ask_twice() -> None:
        await asyncio.gather(inspect(), inspect())
        clock.jump(61)
        await inspect()
        if inspect._asking is not None:
            await inspect._asking

    asyncio.run(ask_twice())
    assert marks.read_text() == asked


def test_a_look_at_plugins_that_does_not_end_is_ended() -> None:
    inspect = Inspections((sys.executable, "-c", "while True: pass"), ManualClock(), limit=0.3)
    assert asyncio.run(_rows(inspect)) == []
