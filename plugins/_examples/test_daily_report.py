"""What daily_report counts, and what it says."""

import pytest

pytestmark = pytest.mark.relay(
    settings={"to": "staff", "account": "1688850000000001"},
    chats={"staff": "R:10950000000000009", "east": "R:10950000000000001", "west": "R:10950000000000002"},
    now="2026-11-16 10:00",
)


def test_tells_in_the_morning_what_was_said_the_day_before(bench):
    for sender, chat in (("Ann", "east"), ("Ben", "east"), ("Ann", "west")):
        bench.say("你好", sender=sender, chat=chat)
    bench.delivery("failed", reason="no such chat")
    (told,) = bench.clock.advance(to="09:00").texts
    assert told == "2026-11-16 日报：3 条消息，2 人，2 个会话\n· east：2\n· west：1\n⚠ 投递 failed：1"


def test_tells_each_day_of_its_own(bench):
    bench.say("你好", chat="east")
    bench.clock.advance(to="09:00")
    assert bench.clock.advance(to="09:00").texts == ["2026-11-17 日报：0 条消息，0 人，0 个会话"]
