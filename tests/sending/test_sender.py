"""When a request goes out, and when it does not."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from bots import (
    ANN,
    EAST,
    MIRROR,
    NORTH,
    ONE,
    REPLY,
    TWO,
    WEST,
    entry,
    eventually,
    make_bot,
    receive,
    rule,
    states,
)
from sending.desk import UNSENT, Desk, ask_price, says, stand, start

from relay.clock import Clock
from relay.errors import StorageError
from relay.roles import build_sender
from relay.testing import Bot


def answering(desk: Desk, toml: str = "", folder: Path | None = None) -> Bot:
    return make_bot(REPLY + toml, transport=desk, configured=True, folder=folder)


@rule
async def test_the_intent_is_on_disk_before_the_first_byte(tmp_path: Path) -> None:
    seen: list[tuple[object, ...]] = []

    class Looking(Desk):
        async def request(self, method: str, path: str, **more: object) -> object:  # type: ignore[override]
            if path == "/wechat/sendMessage":
                other = apsw.Connection(str(tmp_path / "relay.db"))
                seen.extend(other.execute("SELECT state, attempts FROM deliveries"))
                seen.extend(other.execute("SELECT delivery, number, outcome FROM attempts"))
                other.close()
            return await super().request(method, path, **more)  # type: ignore[arg-type]

    desk = Looking()
    async with answering(desk, folder=tmp_path) as bot:
        await ask_price(bot)
        await bot.work()
        assert seen == [("sending", 1), (1, 1, None)]
        assert desk.id_of().endswith("-1.1")


@rule
async def test_to_one_chat_one_request_at_a_time_in_the_order_decided() -> None:
    desk = Desk()
    desk.closed = {EAST}
    async with answering(desk) as bot:
        for number in range(5):
            await ask_price(bot, f"{number}")
        await start(bot, desk)
        for _ in range(5):
            await bot.sender.step()
        assert desk.on_their_way == [[EAST]]
        desk.open()
        await bot.work()
        assert [asked["messages"][0]["api_send_id"][-3:] for asked in desk.requests] == [
            f"{number}.1" for number in range(1, 6)
        ]


@rule
async def test_what_may_share_a_request_does_not_follow_one_that_is_on_its_way() -> None:
    desk = Desk()
    desk.closed = {EAST}
    async with answering(desk, "[delivery]\nsend_batch = 2\n") as bot:
        await ask_price(bot, "1")
        await start(bot, desk)
        await ask_price(bot, "2")
        await bot.sender.step()
        assert await states(bot) == ["sending", "queued"]
        desk.open()
        await bot.work()
        assert await states(bot) == ["accepted", "accepted"]


@rule
async def test_a_stuck_chat_delays_no_other() -> None:
    desk = Desk()
    desk.closed = {EAST}
    async with answering(desk) as bot:
        for number, chat in enumerate((EAST, EAST, WEST, NORTH)):
            await ask_price(bot, f"{number}", chat_wxid=chat)
        await start(bot, desk, 3)
        assert desk.on_their_way == [[EAST]]
        desk.open()
        await bot.sender.drain()
        assert await states(bot) == ["accepted"] * 4


@rule
async def test_what_waits_for_its_next_attempt_holds_its_place_in_line() -> None:
    desk = Desk(UNSENT)
    async with answering(desk) as bot:
        await ask_price(bot, "1")
        await ask_price(bot, "2")
        await bot.work()
        assert await states(bot) == ["queued", "queued"]
        await bot.pass_time(1)
        assert [asked["messages"][0]["api_send_id"][-3:] for asked in desk.requests] == ["1.1", "1.2", "2.1"]


@rule
async def test_a_delay_holds_up_nothing_behind_it(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "later.py").write_text(
        "from relay import Plugin, Reply\n"
        'plugin = Plugin("later")\n'
        "@plugin.on_message()\n"
        "async def later(message, ctx):\n"
        '    return [Reply("a", delay=10), Reply("b")]\n'
    )
    desk = Desk()
    async with make_bot("[plugins]\norder = []\n", transport=desk, configured=True, folder=tmp_path) as bot:
        await ask_price(bot)
        await bot.work()
        assert desk.texts == ["b"]
        await bot.pass_time(9.9)
        assert desk.texts == ["b"]
        await bot.pass_time(0.1)
        assert desk.texts == ["b", "a"]


@rule
async def test_between_attempts_the_wait_grows_and_attempts_come_to_an_end() -> None:
    desk = Desk(*[UNSENT] * 9)
    async with answering(desk, "[delivery]\nmax_attempts = 4\n") as bot:
        await ask_price(bot)
        await bot.work()
        for attempts, wait in ((1, 1), (2, 3), (3, 9)):
            await bot.pass_time(wait - 0.01)
            assert len(desk.requests) == attempts
            await bot.pass_time(0.01)
            assert len(desk.requests) == attempts + 1
        assert await states(bot) == ["failed"]


@rule
async def test_a_throttled_attempt_uses_up_none() -> None:
    desk = Desk(*[says(407)] * 5)
    async with answering(desk, "[delivery]\nmax_attempts = 1\n") as bot:
        await ask_price(bot)
        await bot.work()
        for _ in range(5):
            await bot.pass_time(60)
        assert await states(bot) == ["accepted"]
        assert len(desk.requests) == 6


@rule
async def test_what_is_too_late_is_not_sent_at_all() -> None:
    desk = Desk()
    async with answering(desk, '[delivery]\nexpire_after = "10m"\n') as bot:
        await ask_price(bot)
        bot.clock.jump(600)
        await bot.sender.drain()
        assert await states(bot) == ["expired"]
        assert desk.requests == []


@rule
async def test_a_throttled_account_pauses_alone_and_over_a_restart() -> None:
    desk = Desk(says(407))
    async with make_bot(REPLY, accounts=(ONE, TWO), transport=desk, configured=True) as bot:
        await ask_price(bot)
        await bot.work()
        await bot.restart()
        await receive(bot, entry("2", "price", chat_wxid=WEST))
        await receive(bot, entry("3", "price", chat_wxid=ANN), account=TWO)
        await bot.work()
        assert [asked["wxid"] for asked in desk.requests] == [ONE, TWO]
        await bot.pass_time(5)
        assert [asked["wxid"] for asked in desk.requests] == [ONE, TWO, ONE, ONE]


@rule
async def test_a_throttled_request_is_not_repeated_before_its_account_is_paused() -> None:
    """Its row is back in the queue before its pause is: neither may show without the other."""
    desk = Desk(says(407))
    async with answering(desk) as bot:
        await ask_price(bot)
        written = bot.store.record_results

        async def look_at_once(results: object) -> None:
            await written(results)  # type: ignore[arg-type]
            assert bot.sender._lanes.room(ONE, bot.clock.now()) == 0

        bot.store.record_results = look_at_once  # type: ignore[method-assign]
        await bot.sender.drain()
        assert len(desk.requests) == 1


@pytest.mark.parametrize("code", [101, 113, 114])
@rule
async def test_a_refusal_of_who_we_are_stops_everybody_and_loses_nothing(code: int) -> None:
    desk = Desk(says(code))
    async with answering(desk) as bot:
        await ask_price(bot)
        await bot.work()
        await ask_price(bot, "2", chat_wxid=WEST)
        await bot.work()
        assert len(desk.requests) == 1
        await bot.pass_time(30)
        assert await states(bot) == ["accepted", "accepted"]


@rule
async def test_an_account_sends_no_more_a_minute_than_allowed_even_after_a_restart() -> None:
    desk = Desk()
    async with answering(desk, "[delivery]\nper_minute = 3\n") as bot:
        for number in range(8):
            await ask_price(bot, f"{number}", chat_wxid=f"R:{number}")
        await bot.work()
        assert len(desk.requests) == 3
        await bot.restart()
        await bot.pass_time(59.9)
        assert len(desk.requests) == 3
        await bot.pass_time(0.1)
        assert len(desk.requests) == 6


@rule
async def test_a_forward_counts_a_message_for_every_target() -> None:
    targets = ", ".join(f'"R:{number}"' for number in range(5))
    route = f'[[plugins.group_mirror.routes]]\nname = "r"\nfrom = ["{EAST}"]\nto = [{targets}]\n'
    desk = Desk()
    toml = "[delivery]\nper_minute = 3\n" + route
    async with make_bot(toml, transport=desk, configured=True) as bot:
        await receive(bot, entry())
        await bot.work()
        assert [len(asked["chat_wxids"]) for asked in desk.requests] == [3]
        await bot.pass_time(60)
        assert [len(asked["chat_wxids"]) for asked in desk.requests] == [3, 2]


@rule
async def test_one_request_forwards_to_as_many_chats_as_configured() -> None:
    targets = ", ".join(f'"R:{number}"' for number in range(5))
    route = f'[[plugins.group_mirror.routes]]\nname = "r"\nfrom = ["{EAST}"]\nto = [{targets}]\n'
    desk = Desk()
    async with make_bot("[delivery]\nforward_batch = 2\n" + route, transport=desk, configured=True) as bot:
        await receive(bot, entry())
        await bot.work()
        assert [asked["chat_wxids"] for asked in desk.requests] == [["R:0", "R:1"], ["R:2", "R:3"], ["R:4"]]


@rule
async def test_between_two_requests_of_one_account_lies_the_least_interval() -> None:
    desk = Desk()
    async with answering(desk, '[delivery]\nmin_interval = "2s"\n') as bot:
        for number in range(3):
            await ask_price(bot, f"{number}", chat_wxid=f"R:{number}")
        await bot.work()
        counted = [len(desk.requests)]
        for seconds in (1.9, 0.1, 1.9, 0.1):
            await bot.pass_time(seconds)
            counted.append(len(desk.requests))
        assert counted == [1, 1, 2, 2, 3]


@rule
async def test_of_two_senders_on_one_database_the_older_one_stops() -> None:
    desk = Desk()
    async with answering(desk) as bot:
        older = bot.sender
        await older.drain()
        clock: Clock = bot.clock
        newer = build_sender(bot.config, bot.store, clock, desk)
        await newer.drain()
        await ask_price(bot)
        with pytest.raises(StorageError, match="another sender has taken over"):
            await older.drain()
        await newer.drain()
        assert len(desk.requests) == 1


@rule
async def test_what_cannot_be_put_into_a_request_fails_and_holds_up_nothing() -> None:
    async with make_bot(MIRROR, transport=Desk(), configured=True) as bot:
        await receive(bot, entry("1"), entry("2"))
        await bot.router.drain()
        await bot.store._db.write(
            lambda db: db.execute("UPDATE messages SET raw = x'5b5d' WHERE id = 1") and None
        )
        await bot.work()
        assert await states(bot) == ["failed", "accepted"]


@rule
async def test_what_is_due_waits_for_no_flood_of_our_own_words() -> None:
    async def heard() -> bool:
        return len(await bot.store.signals((0, 0), 1000)) == 1000

    desk = Desk()
    async with answering(desk) as bot:
        await receive(bot, *(entry(f"9{n}", "typed by staff", from_wxid=ONE) for n in range(1000)))
        await eventually(heard)
        await ask_price(bot)
        assert await bot.sender.step()
        assert await stand(bot) != [("queued", None)]
        assert len(await bot.store.signals((0, 0), 1000)) >= 400
        await bot.work()
        assert await bot.store.signals((0, 0), 1000) == []
