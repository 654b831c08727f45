"""`relay replay`: what another configuration would have made of the messages that came."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from bots import ANN, BEN, EAST, ONE, WEST, Row, make_bot
from cli.conftest import Relay
from plugins.lists import rules

from relay.testing import SECRETS

LIVE = {"name": "price", "contains": ["price"], "reply": "ten", "cooldown": "10m"}
LONG_AGO = "2020-01-01"


async def _talk(folder: Path) -> None:
    async with make_bot(rules(LIVE), folder=folder, accounts=(ONE,), configured=True) as bot:
        for chat, sender, text in (
            (EAST, ANN, "price?"),
            (EAST, ANN, "price!"),
            (WEST, BEN, "refund"),
            (WEST, BEN, "hello"),
        ):
            bot.simulator.say(chat, sender, text)
            await bot.work()
        await bot.pass_time(600)
        bot.simulator.say(EAST, ANN, "price again")
        await bot.work()


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bot.toml of a bot that answered the first and the last of five messages; tests only read it."""
    folder = tmp_path_factory.mktemp("lived")
    asyncio.run(_talk(folder))
    return folder / "bot.toml"


def other(config: Path, folder: Path, *tables: Row, more: str = "") -> Path:
    """The same bot with other rules."""
    before, _, _ = config.read_text("utf-8").partition("[chats]")
    folder.mkdir(exist_ok=True)
    (folder / "bot.toml").write_text(before + rules(*tables) + "\n" + more, "utf-8")
    return folder / "bot.toml"


def replayed(relay: Relay, config: Path, *more: str) -> Any:
    ended = relay("replay", "--config", str(config), "--since", LONG_AGO, "--json", *more)
    assert ended.code == 0, ended.err + ended.out
    return ended.json()


def changed(told: Any) -> dict[str, tuple[int, int]]:
    """For each message, how many decisions it came to before and after."""
    return {row["text"]: (len(row["before"]), len(row["after"])) for row in told["differences"]}


def test_todays_configuration_decides_what_was_decided_then(relay: Relay, lived: Path) -> None:
    told = replayed(relay, lived)
    assert (told["messages"], told["changed"], told["differences"]) == (5, 0, [])
    assert told["compared"] == "recorded"


def test_a_change_is_told_by_what_it_would_answer_and_what_no_longer(
    relay: Relay, lived: Path, tmp_path: Path
) -> None:
    new = other(lived, tmp_path / "new", {"contains": ["refund", "hello"], "reply": "sorry"})
    told = replayed(relay, lived, "--against", str(new))
    assert changed(told) == {"price?": (1, 0), "price again": (1, 0), "refund": (0, 1), "hello": (0, 1)}
    answered = told["summary"]["answered"]
    assert answered["more"] == {"messages": 2, "chats": 1}
    assert answered["fewer"] == {"messages": 2, "chats": 1}
    decision = told["differences"][-1]["before"][0]
    assert list(decision) == ["plugin", "rule", "kind", "account", "targets", "messages"]


def test_cooldowns_go_by_the_messages_own_times(relay: Relay, lived: Path, tmp_path: Path) -> None:
    new = other(lived, tmp_path / "new", {**LIVE, "cooldown": "20m"})
    told = replayed(relay, lived, "--against", str(tmp_path / "new"))
    assert changed(told) == {"price again": (1, 0)}
    assert new.exists()


def test_other_words_and_another_rule_are_told_apart(relay: Relay, lived: Path, tmp_path: Path) -> None:
    new = other(lived, tmp_path / "new", {**LIVE, "name": "renamed"})
    assert replayed(relay, lived, "--against", str(new))["changed"] == 0
    new = other(lived, tmp_path / "new", {**LIVE, "reply": "eleven"})
    told = replayed(relay, lived, "--against", str(new))
    assert told["summary"]["answered"]["differently"]["messages"] == 2


def test_the_database_stays_as_it_is(relay: Relay, lived: Path, tmp_path: Path) -> None:
    def everything() -> list[str]:
        with sqlite3.connect(lived.parent / "relay.db") as connection:
            return list(connection.iterdump())

    before = everything()
    replayed(relay, lived, "--against", str(other(lived, tmp_path / "new", {"reply": "to all"})))
    assert everything() == before


def test_chats_times_and_limits_ask_for_less(relay: Relay, lived: Path, tmp_path: Path) -> None:
    new = str(other(lived, tmp_path / "new", {"reply": "to all"}))
    assert replayed(relay, lived, "--against", new, "--chat", WEST)["messages"] == 2
    told = replayed(relay, lived, "--against", new, "--limit", "1")
    assert (told["changed"], [row["text"] for row in told["differences"]]) == (5, ["price again"])
    recent = relay("replay", "--config", str(lived), "--since", "2099-01-01", "--json").json()
    assert recent["messages"] == 0


def test_people_read_names_and_what_would_change(relay: Relay, lived: Path, tmp_path: Path) -> None:
    new = other(lived, tmp_path / "new", {"contains": ["refund"], "reply": "sorry"})
    told = relay("replay", "--config", str(lived), "--since", LONG_AGO, "--against", str(new))
    assert "多回复 1 条" in told.out
    assert "不再回复 2 条" in told.out
    assert "refund" in told.out
    assert EAST not in told.out


def test_what_both_decide_is_not_shown(relay: Relay, lived: Path, tmp_path: Path) -> None:
    note = {"name": "note", "contains": ["price"], "reply": "hm", "stop": False}
    new = other(lived, tmp_path / "new", note, LIVE)
    told = relay("replay", "--config", str(lived), "--since", LONG_AGO, "--against", str(new)).out
    assert "note 发送" in told
    assert "price 发送" not in told


PLUGIN = """
import os, time
from relay import Plugin, Reply

plugin = Plugin("odd")


@plugin.on_message()
async def odd(message, ctx):
    assert ctx.dry_run
    if message.text == "refund":
        {does}
    print("noise")
"""


def with_plugin(config: Path, folder: Path, does: str, more: str = "") -> Path:
    made = other(config, folder, LIVE, more=more)
    (folder / "plugins").mkdir()
    (folder / "plugins" / "odd.py").write_text(PLUGIN.format(does=does), "utf-8")
    return made


def test_a_plugin_that_fails_is_counted(relay: Relay, lived: Path, tmp_path: Path) -> None:
    told = replayed(relay, lived, "--against", str(with_plugin(lived, tmp_path / "new", "1 / 0")))
    (failure,) = told["failures"]["after"]
    assert (failure["plugin"], failure["messages"]) == ("odd", 1)
    assert "ZeroDivisionError" in failure["reason"]


def test_one_that_kills_its_process_is_named_with_the_message(
    relay: Relay, lived: Path, tmp_path: Path
) -> None:
    new = with_plugin(lived, tmp_path / "new", "os.kill(os.getpid(), 9)")
    ended = relay("replay", "--config", str(lived), "--since", LONG_AGO, "--against", str(new), "--json")
    assert ended.code == 1
    assert "odd.odd" in ended.json()["error"]
    assert "m" in ended.json()["error"]


def test_one_that_does_not_load_is_refused(relay: Relay, lived: Path, tmp_path: Path) -> None:
    new = with_plugin(lived, tmp_path / "new", "import nothing (")
    ended = relay("replay", "--config", str(lived), "--against", str(new), "--json")
    assert ended.code == 2
    assert "odd" in ended.json()["error"]


def test_settings_that_would_not_pass_are_told_like_those_of_a_start(
    relay: Relay, lived: Path, tmp_path: Path
) -> None:
    new = other(lived, tmp_path / "new", {"contians": ["x"], "reply": "x"})
    ended = relay("replay", "--config", str(lived), "--against", str(new), "--json")
    assert ended.code == 2
    assert "contians" in json.dumps(ended.json())
    assert relay("replay", "--config", str(lived), "--against", str(tmp_path / "no"), "--json").code == 2


async def _staff(folder: Path) -> None:
    async with make_bot(rules(LIVE), folder=folder, accounts=(ONE,), configured=True) as bot:
        bot.simulator.say(EAST, ONE, "I am staff")
        bot.simulator.say(EAST, ANN, "price?")
        await bot.work()


def test_what_staff_typed_is_there_for_who_asks_for_it_and_echoes_never(relay: Relay, tmp_path: Path) -> None:
    folder = tmp_path / "staff"
    folder.mkdir()
    asyncio.run(_staff(folder))
    mirror = (
        '[[plugins.group_mirror.routes]]\nname = "own"\ninclude_own = true\n'
        f'from = ["{EAST}"]\nto = ["{WEST}"]\n'
    )
    new = other(folder / "bot.toml", tmp_path / "new", LIVE, more=mirror)
    told = replayed(relay, folder / "bot.toml", "--against", str(new))
    assert set(changed(told)) == {"I am staff", "price?"}


def test_ctrl_c_ends_it_and_whatever_it_started(lived: Path, tmp_path: Path) -> None:
    new = with_plugin(
        lived,
        tmp_path / "new",
        f"open(r'{tmp_path}/pid', 'w').write(str(os.getpid())); time.sleep(60)",
        "[plugins.odd]\ntimeout = '50s'\n",
    )
    command = [sys.executable, "-m", "relay", "replay", "--config", str(lived), "--since", LONG_AGO]
    running = subprocess.Popen(
        [*command, "--against", str(new)],
        env={**os.environ, **SECRETS},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    told, _ = running.communicate(timeout=20)
    assert running.returncode == 1
    assert "中止" in told.decode()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


async def _mirrored(folder: Path) -> None:
    mirror = f'[[plugins.group_mirror.routes]]\nname = "m"\nfrom = ["{EAST}"]\nto = ["{WEST}"]\n'
    async with make_bot(mirror, folder=folder, accounts=(ONE,), configured=True) as bot:
        bot.simulator.say(EAST, ANN, "hello")
        await bot.work()


def test_an_echo_of_a_forward_is_nobodys_word(relay: Relay, tmp_path: Path) -> None:
    folder = tmp_path / "mirrored"
    folder.mkdir()
    asyncio.run(_mirrored(folder))
    back = (
        '[[plugins.group_mirror.routes]]\nname = "back"\ninclude_own = true\n'
        f'from = ["{WEST}"]\nto = ["{EAST}"]\n'
    )
    before, _, _ = (folder / "bot.toml").read_text("utf-8").partition("[[plugins.group_mirror")
    new = tmp_path / "new.toml"
    new.write_text(before + back, "utf-8")
    told = replayed(relay, folder / "bot.toml", "--against", str(new))
    assert (told["messages"], set(changed(told))) == (1, {"hello"})


def test_a_delay_that_nobody_kept_of_then_is_no_difference(relay: Relay, tmp_path: Path) -> None:
    async def live() -> None:
        toml = rules({"contains": ["price"], "reply": "ten", "delay": "5s"})
        async with make_bot(toml, folder=tmp_path, accounts=(ONE,), configured=True) as bot:
            bot.simulator.say(EAST, ANN, "price?")
            await bot.work()

    asyncio.run(live())
    assert replayed(relay, tmp_path / "bot.toml")["changed"] == 0


def test_what_is_wrong_with_the_other_file_is_told_in_the_bots_language(
    relay: Relay, lived: Path, tmp_path: Path
) -> None:
    config = tmp_path / "own.toml"
    config.write_text(lived.read_text("utf-8").replace("[chats]", '[bot]\nlanguage = "zh"\n[chats]'), "utf-8")
    for name in ("relay.db", "relay.db-wal"):
        if (lived.parent / name).exists():
            shutil.copy(lived.parent / name, tmp_path / name)
    (tmp_path / "bad.toml").write_text("x = [", "utf-8")
    ended = relay("replay", "--config", str(config), "--against", str(tmp_path / "bad.toml"))
    assert ended.code == 2
    assert "个问题" in ended.err


def test_the_other_file_is_called_by_its_path_from_here(
    relay: Relay, lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other(lived, tmp_path / "new", LIVE)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    asked = ("--config", str(lived), "--since", LONG_AGO, "--against", "../new")
    assert f"→ {Path('..', 'new', 'bot.toml')}" in relay("replay", *asked).out
