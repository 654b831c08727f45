"""One account's trouble stays there, and an outage of the platform costs no attempts."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from bots import ANN, BEN, EAST, MIRROR, REPLY, WEST, make_bot, rule, said, states
from sending.desk import Desk, ask_price, says

from relay.sending.attempts import NoAnswer, asked_rest
from relay.sending.lanes import Lanes, Pace, in_force
from relay.sending.outage import IN_A_ROW
from relay.simulator.fault import Fault, Kind
from relay.store.values import Pause
from relay.testing import Bot
from relay.wire.answers import Answer

NOW = 1_700_000_000_000  # 2023-11-14 22:13:20
SEND, PROBE, TOKEN = "/wechat/sendMessage", "/index/serverIpList", "/oauth/token"


# -- Retry-After ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "rest"),
    [
        ("30", 30_000),
        (" 2.5 ", 2_500),
        ("0.1", 1_000),
        ("86400", 300_000),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60_000),
        ("Tue, 14 Nov 2023 22:13:00 GMT", None),
        ("Tue, 14 Nov 3023 22:14:20 GMT", 300_000),
        *[
            (nonsense, None)
            for nonsense in ("", "0", "-5", "soon", "1e999", "nan", "١", "9" * 99 + "x", "5 min")
        ],
    ],
)
def test_retry_after_is_seconds_or_a_date_within_bounds_or_nonsense(header: str, rest: int | None) -> None:
    assert asked_rest(Answer(429, retry_after=header), NOW) == rest


@pytest.mark.parametrize(("header", "seconds"), [("120", 120), ("later", 5)])
@rule
async def test_an_account_rests_as_long_as_the_platform_asks(header: str, seconds: float) -> None:
    async with make_bot(REPLY, configured=True) as bot:
        bot.simulator.faults.add(Fault(Kind.HTTP_STATUS, path=SEND, status=429, retry_after=header))
        bot.simulator.say(EAST, ANN, "price")
        await bot.work()
        await bot.pass_time(seconds - 0.1)
        assert await states(bot) == ["queued"]
        await bot.pass_time(0.1)
        assert (await states(bot), said(bot, EAST)) == (["accepted"], ["price", "ten"])


# -- back in steps -------------------------------------------------------------


def test_after_a_pause_an_account_comes_back_in_steps() -> None:
    lanes = Lanes(Pace(450, 0, 0))
    now = lanes.throttled("a", "407", NOW).until
    shares = []
    for _ in range(5):
        shares.append(lanes.share("a", 16))
        lanes.succeeded("a", now)
    assert (shares, lanes.share("b", 16)) == ([1, 2, 4, 8, 16], 16)


def test_the_steps_begin_anew_after_a_restart() -> None:
    lanes = Lanes(Pace(450, 0, 0))
    lanes.restore([], [Pause("a", NOW, 1, "407")])
    assert (lanes.share("a", 16), lanes.share("b", 16)) == (1, 16)


@rule
async def test_one_request_tries_whether_a_throttled_account_may_send_again() -> None:
    desk = Desk(says(407))
    async with make_bot(REPLY, transport=desk, configured=True) as bot:
        rooms = [f"R:{number}" for number in range(12)]
        await ask_price(bot, chat_wxid=rooms[0])
        await bot.work()
        for number, room in enumerate(rooms):
            await ask_price(bot, f"n{number}", chat_wxid=room)
        await bot.pass_time(4)
        desk.closed = set(rooms)
        bot.clock.jump(1)
        await bot.sender.step()
        begun = len(bot.sender._requests)
        desk.open()
        await bot.work()
        assert (begun, len(desk.requests)) == (1, 14)


# -- an outage -----------------------------------------------------------------


class Down(Desk):
    """A platform that nobody finds for a while."""

    def __init__(self, answer: Answer | NoAnswer) -> None:
        super().__init__()
        self.down = True
        self.probes = 0
        self._answer = answer

    async def request(
        self, method: str, path: str, *, body: bytes = b"", query: Mapping[str, str] | None = None
    ) -> Answer | NoAnswer:
        self.probes += path == PROBE
        answered = await super().request(method, path, body=body, query=query)
        return self._answer if self.down and path != TOKEN else answered


NOBODY = NoAnswer(False, "ClientConnectorError")


async def go_down(bot: Bot) -> None:
    """Let as many requests fail as an outage takes."""
    for number in range(IN_A_ROW):
        await ask_price(bot, f"o{number}", chat_wxid=f"R:{number}")
    await bot.work()


def answering(desk: Desk) -> Bot:
    return make_bot(REPLY, transport=desk, configured=True)


@pytest.mark.parametrize("answer", [NOBODY, Answer(503)])
@rule
async def test_in_an_outage_nothing_is_tried_but_a_probe_at_growing_waits(answer: Answer | NoAnswer) -> None:
    desk = Down(answer)
    async with answering(desk) as bot:
        await go_down(bot)
        await ask_price(bot, "x", chat_wxid=WEST)
        await bot.work()
        for seconds, probes in ((0.9, 0), (0.1, 1), (1.9, 1), (0.1, 2), (4.9, 2), (0.1, 3)):
            await bot.pass_time(seconds)
            assert (len(desk.requests), desk.probes) == (IN_A_ROW, probes)


@rule
async def test_an_outage_is_shown_and_ends_with_the_first_probe_that_is_answered() -> None:
    desk = Down(NOBODY)
    async with answering(desk) as bot:
        await go_down(bot)
        (pause,) = await bot.store.pauses()
        assert (pause.account, pause.reason) == ("", "outage: ClientConnectorError")
        desk.down = False
        await bot.pass_time(1)
        assert await bot.store.pauses() == []
        assert await states(bot) == ["accepted"] * IN_A_ROW


def test_what_holds_up_all_is_shown_until_something_is_answered() -> None:
    outage, throttled = Pause("", NOW, 1, "outage: HTTP 503"), Pause("a", NOW, 1, "407")
    shown = [(in_force(outage, at), in_force(throttled, at)) for at in (NOW - 1, NOW + 30_000, NOW + 60_000)]
    assert shown == [(True, True), (True, False), (False, False)]


@rule
async def test_failures_that_are_not_in_a_row_are_no_outage() -> None:
    desk = Desk(*([NOBODY] * (IN_A_ROW - 1) + [says(406)]) * 2)
    async with answering(desk) as bot:
        for number in range(2 * IN_A_ROW):
            await ask_price(bot, f"o{number}", chat_wxid=f"R:{number}")
            await bot.work()
        assert await bot.store.pauses() == []


@rule
async def test_a_room_that_is_in_trouble_leaves_others_alone() -> None:
    async with make_bot(REPLY, configured=True) as bot:
        bot.simulator.reject(EAST, "gone")
        for number in range(IN_A_ROW + 1):
            bot.simulator.say(EAST, ANN, f"price {number}")
        bot.simulator.say(WEST, BEN, "price")
        await bot.work()
        assert said(bot, WEST) == ["price", "ten"]


# -- echoes that never come ----------------------------------------------------


@rule
async def test_a_busy_mirror_does_not_stall_on_echoes_that_never_come() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        bot.simulator.faults.add(Fault(Kind.DROP, echoes_only=True, times=None))
        for second in range(1, 11):
            for _ in range(5):
                bot.simulator.say(EAST, ANN, f"{second}")
            await bot.pass_time(1)
            assert len(said(bot, WEST)) == 5 * second
        await bot.pass_time(60)
        assert set(await states(bot)) == {"delivered"}


@rule
async def test_a_busy_mirror_goes_on_after_a_forward_of_which_nothing_is_ever_heard() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        bot.simulator.faults.add(Fault(Kind.DROP, echoes_only=True, times=None))
        bot.simulator.faults.add(Fault(Kind.CLOSE, path="/wechat/forwardMsg"))
        for number in range(10):
            bot.simulator.say(EAST, ANN, f"{number}")
        for _ in range(7):
            await bot.pass_time(10)
        assert said(bot, WEST) == [f"{number}" for number in range(1, 10)]


# -- who we are ----------------------------------------------------------------


@rule
async def test_a_refusal_of_who_we_are_is_shown_until_a_request_is_taken() -> None:
    desk = Desk(says(101, errmsg="app_id"), says(101, errmsg="app_id"))
    async with answering(desk) as bot:
        await ask_price(bot)
        shown = []
        for _ in range(3):
            await bot.work()
            shown.append([(each.account, each.reason) for each in await bot.store.pauses()])
            await bot.pass_time(30)
        assert shown == [[("", "errcode 101: app_id")]] * 2 + [[]]
