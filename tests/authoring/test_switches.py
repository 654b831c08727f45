"""`chats` and `not_chats` in [plugins.NAME] switch any plugin on or off by chat, whoever wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest
from bots import ANN, EAST, NORTH, WEST, make_bot, rule, said
from plugins.lists import routes

from relay.errors import ConfigurationError
from relay.testing import Bot

HELLO = """
from relay import Plugin, Reply
plugin = Plugin("hello")

@plugin.on_message
def hello(message, ctx):
    return Reply("hello")
"""
NAMES = f'[chats]\neast = "{EAST}"\nboth = ["east", "{WEST}"]\n'


def bot(folder: Path, toml: str) -> Bot:
    (folder / "plugins").mkdir()
    (folder / "plugins" / "hello.py").write_text(HELLO, "utf-8")
    return make_bot(NAMES + toml, folder=folder, configured=True)


async def answered(bot: Bot) -> list[str]:
    """The rooms in which the bot answers."""
    for room in (EAST, WEST, NORTH):
        bot.simulator.say(room, ANN, "x")
    await bot.work()
    return [room for room in (EAST, WEST, NORTH) if "hello" in said(bot, room)]


@pytest.mark.parametrize(
    ("switch", "rooms", "reason"),
    [
        ('chats = ["both"]', [EAST, WEST], f"plugins.hello.chats: {NORTH} is not among "),
        ('chats = "east"', [EAST], f"plugins.hello.chats: {NORTH} is not among "),
        (f'not_chats = ["{NORTH}"]', [EAST, WEST], f"plugins.hello.not_chats: {NORTH} is among them"),
        (f'chats = ["both", "{NORTH}"]\nnot_chats = ["{NORTH}"]', [EAST, WEST], "not_chats"),
    ],
)
@rule
async def test_a_plugin_runs_only_in_its_chats_and_the_trace_says_why(
    tmp_path: Path, switch: str, rooms: list[str], reason: str
) -> None:
    async with bot(tmp_path, f"[plugins.hello]\n{switch}\n") as started:
        assert await answered(started) == rooms
        [line] = [each for each in await started.store.trace(3) if each["plugin"] == "hello"]
        assert (line["decision"], line["rule"]) == ("no", "")
        assert reason in str(line["reason"])


@rule
async def test_a_shipped_plugin_is_switched_like_any_other() -> None:
    mirror = routes({"name": "all", "between": [EAST, WEST]})
    async with make_bot(f'{mirror}\n[plugins.group_mirror]\nnot_chats = ["{EAST}"]\n') as started:
        await started.work()
        started.simulator.say(EAST, ANN, "from east")
        started.simulator.say(WEST, ANN, "from west")
        await started.work()
        assert said(started, WEST) == ["from west"]
        assert said(started, EAST) == ["from east", "from west"]


@pytest.mark.parametrize(
    ("switch", "path", "message"),
    [
        ('chats = ["nowhere"]', "plugins.hello.chats", "nowhere"),
        ("not_chat = []", "plugins.hello.not_chat", "did you mean `not_chats`?"),
        ("not_chats = [1]", "plugins.hello.not_chats", "expected"),
        ('chats = ["east"]\nnot_chats = ["both"]', "plugins.hello.not_chats", "would run nowhere"),
    ],
)
def test_a_switch_that_makes_no_sense_is_refused(
    tmp_path: Path, switch: str, path: str, message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        bot(tmp_path, f"[plugins.hello]\n{switch}\n")
    (problem,) = caught.value.problems
    assert problem.path.startswith(path)
    assert message in str(problem)
