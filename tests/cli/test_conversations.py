"""`relay conversations`, and `relay explain` of what is no message."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cli.conftest import ACCOUNT, CUSTOMER, EAST, TOML, Relay

from relay.testing import Bot

PLUGIN = """
from relay import Plugin, Reply, Send

plugin = Plugin("form")

@plugin.on_message
async def ask(message, ctx):
    if message.text == "order":
        return Reply("which one?", then=which, within="2h")

async def which(message, ctx):
    return Reply("thanks")

@plugin.every("1m")
async def tick(ctx):
    return Send("east", "still open")
"""


async def _ask(folder: Path) -> None:
    (folder / "plugins").mkdir()
    (folder / "plugins" / "form.py").write_text(PLUGIN, "utf-8")
    async with Bot(TOML, accounts=(ACCOUNT,), folder=folder) as bot:
        bot.simulator.add_account(ACCOUNT, "小助手")
        bot.simulator.add_contact(CUSTOMER, "李伟")
        bot.simulator.add_room(EAST, "客户群", [ACCOUNT, CUSTOMER])
        bot.simulator.say(EAST, CUSTOMER, "order")
        await bot.work()
        await bot.pass_time(60)


@pytest.fixture
def asked(tmp_path: Path) -> str:
    asyncio.run(_ask(tmp_path))
    return str(tmp_path / "bot.toml")


def test_those_that_wait_are_listed_with_whom_they_wait_for(relay: Relay, asked: str) -> None:
    (row,) = relay("conversations", "--json", "--chat", "east", "--config", asked).json()
    assert {row[key] for key in ("id", "plugin", "sender", "handler", "message_id")} == {
        *("c1", "form", CUSTOMER, "which", "m1")
    }
    assert "李伟" in relay("conversations", "--config", asked).out
    assert relay("conversations", "--json", "--chat", "west", "--config", asked).json() == []


def test_one_that_is_cancelled_is_gone_and_cannot_be_cancelled_twice(relay: Relay, asked: str) -> None:
    done = relay("conversations", "--cancel", "c1", "--json", "--config", asked)
    assert (done.code, done.json()) == (0, [{"id": "c1", "done": True}])
    again = relay("conversations", "--cancel", "1,c7", "--config", asked)
    assert (again.code, "没有对话 c1" in again.out, "没有对话 c7" in again.out) == (1, True, True)
    assert relay("conversations", "--cancel", "x", "--config", asked).code == 2
    assert relay("conversations", "--json", "--config", asked).json() == []


def test_what_a_tick_led_to_is_explained(relay: Relay, asked: str) -> None:
    row = next(r for r in relay("deliveries", "--json", "--config", asked).json() if r["occasion_id"])
    assert row["message_id"] is None
    told = relay("explain", row["occasion_id"], "--json", "--config", asked).json()
    assert (told["kind"], told["plugin"], told["handler"]) == ("tick", "form", "tick")
    assert [each["id"] for each in told["deliveries"]] == [row["id"]]
    assert [line["decision"] for line in told["trace"]] == ["send"]
    shown = relay("explain", row["occasion_id"], "--config", asked).out
    assert "定时" in shown
    assert "form.tick" in shown
    assert row["occasion_id"] in relay("deliveries", "--config", asked).out


def test_what_is_not_there_is_told(relay: Relay, asked: str) -> None:
    assert relay("explain", "o99", "--config", asked).code == 1
