"""`relay retry` and `relay discard`."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import apsw
import pytest
from cli.conftest import ACCOUNT, CUSTOMER, EAST, TOML, WEST, Relay, Terminal
from store.deliveries import LEGAL, NOTHING

from relay.store.states import DeliveryState
from relay.testing import Bot

STATES = [DeliveryState(state) for state in ("held", "failed", "expired", "queued", "delivered")]
PUT = "UPDATE deliveries SET state = :state, evidence = :evidence, settle_at = :settle_at, error = :error"


async def _mirror(folder: Path) -> None:
    async with Bot(TOML, accounts=(ACCOUNT,), folder=folder) as bot:
        bot.simulator.add_account(ACCOUNT, "小助手")
        bot.simulator.add_contact(CUSTOMER, "李伟")
        for room in (EAST, WEST):
            bot.simulator.add_room(room, "客户群", [ACCOUNT, CUSTOMER])
        for number in range(len(STATES)):
            bot.simulator.say(WEST if number else EAST, CUSTOMER, f"hello {number}")
            await bot.work()


@pytest.fixture(scope="module")
def all_states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of such a bot; nobody works in it."""
    folder = tmp_path_factory.mktemp("stuck")
    asyncio.run(_mirror(folder))
    database = apsw.Connection(str(folder / "relay.db"))
    (step,) = database.execute("SELECT sql FROM sqlite_schema WHERE name = 'deliveries_step'").fetchall()
    database.execute("DROP TRIGGER deliveries_step")  # states that take long to come by honestly
    for number, state in enumerate(STATES, 1):
        values = {"id": number, "state": str(state), **NOTHING, **LEGAL[state]}
        database.execute(f"{PUT} WHERE id = :id", values)
    database.execute(str(step[0]))
    database.close()
    return folder


@pytest.fixture
def stuck(tmp_path: Path, all_states: Path) -> Path:
    """The bot.toml of a bot with a delivery in each of `STATES`, d1 (to west) to d5 (like d2, to east)."""
    shutil.copytree(all_states, tmp_path, dirs_exist_ok=True)
    return tmp_path / "bot.toml"


def row(number: int, before: str, after: str) -> dict[str, object]:
    return {"id": f"d{number}", "before": before, "after": after, "done": True}


def test_retry_puts_what_was_stopped_back_in_line(relay: Relay, stuck: Path) -> None:
    ended = relay("retry", "d1", "2", "D3", "--config", str(stuck), "--json")
    assert ended.code == 0
    assert ended.json() == [row(1, "held", "queued"), row(2, "failed", "queued"), row(3, "expired", "queued")]


def test_discard_drops_what_is_queued_as_well(relay: Relay, stuck: Path) -> None:
    rows = relay("discard", "d1", "d4", "--config", str(stuck), "--json").json()
    assert rows == [row(1, "held", "discarded"), row(4, "queued", "discarded")]


def test_each_delivery_is_shown_from_where_to_where(relay: Relay, stuck: Path) -> None:
    told = relay("retry", "d1", "d2", "--config", str(stuck)).out
    assert "d1  待人工 → 排队中" in told
    assert "2 个投递重新排队" in told


@pytest.mark.parametrize(("command", "number"), [("retry", 4), ("retry", 5), ("discard", 5)])
def test_another_state_is_refused_with_those_from_which_it_goes(
    relay: Relay, stuck: Path, command: str, number: int
) -> None:
    ended = relay(command, f"d{number}", "--config", str(stuck), "--json")
    assert ended.code == 1
    assert f"d{number} 是" in ended.json()["error"]
    assert "held" in ended.json()["hint"]
    assert ended.json()["deliveries"][0]["done"] is False


def test_one_that_cannot_be_done_stops_no_other(relay: Relay, stuck: Path) -> None:
    ended = relay("retry", "d5", "d999", "d1", "--config", str(stuck), "--json")
    assert ended.code == 1
    assert "3 个投递中有 2 个" in ended.json()["error"]
    assert [row["done"] for row in ended.json()["deliveries"]] == [False, False, True]
    assert ended.json()["deliveries"][1]["before"] is None


def test_people_are_told_what_could_not_be_done(relay: Relay, stuck: Path) -> None:
    ended = relay("retry", "d999", "--config", str(stuck))
    assert ended.code == 1
    assert "没有投递 d999" in ended.err
    assert "relay deliveries" in ended.err


@pytest.mark.parametrize(
    "words", [(), ("d1", "--state", "held"), ("--chat", "east"), ("m1",), ("--state", "delivered", "--yes")]
)
def test_a_wrong_question_changes_nothing(relay: Relay, stuck: Path, words: tuple[str, ...]) -> None:
    ended = relay("retry", *words, "--config", str(stuck), "--json")
    assert ended.code in (1, 2)
    assert set(ended.json()) == {"error", "hint"}
    assert relay("deliveries", "--state", "held", "--config", str(stuck), "--json").json()


def test_all_of_some_states_are_taken_oldest_first(relay: Relay, stuck: Path) -> None:
    rows = relay("retry", "--state", "failed,held", "--yes", "--config", str(stuck), "--json").json()
    assert [row["id"] for row in rows] == ["d1", "d2"]


def test_a_chat_narrows_the_choice(relay: Relay, stuck: Path) -> None:
    words = ("retry", "--state", "held,failed", "--chat", "west", "--yes")
    assert relay(*words, "--config", str(stuck), "--json").json() == [row(1, "held", "queued")]


def test_none_selected_is_no_mistake(relay: Relay, empty: Path) -> None:
    assert relay("retry", "--state", "held", "--config", str(empty), "--json").json() == []
    assert "没有符合条件的投递" in relay("retry", "--state", "held", "--config", str(empty)).out


def test_without_a_terminal_nobody_is_asked_and_nothing_done(relay: Relay, stuck: Path) -> None:
    ended = relay("discard", "--state", "held", "--config", str(stuck), "--json")
    assert ended.code == 2
    assert "--yes" in ended.json()["hint"]


@pytest.mark.parametrize(("answer", "code", "done"), [("y", 0, True), ("n", 1, False)])
def test_on_a_terminal_a_person_decides(
    relay: Relay, stuck: Path, terminal: Terminal, answer: str, code: int, done: bool
) -> None:
    terminal(answer)
    ended = relay("discard", "--state", "held", "--config", str(stuck))
    assert ended.code == code
    assert "丢弃这 1 个投递" in ended.err
    assert ("已丢弃" in ended.out) is done


def test_the_database_of_another_version_is_not_migrated(relay: Relay, stuck: Path) -> None:
    database = apsw.Connection(str(stuck.parent / "relay.db"))
    database.pragma("user_version", 1)
    assert relay("retry", "d1", "--config", str(stuck)).code == 1
    assert database.pragma("user_version") == 1
    database.close()
