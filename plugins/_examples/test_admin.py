"""What comes to admin, and what it does."""

import pytest

from relay import Stop

ADMIN = "7881300000000042"
pytestmark = pytest.mark.relay(settings={"admins": [ADMIN]}, now="2026-11-16 10:00")


def test_nobody_else_is_answered(bench):
    assert bench.say("/status", sender="Ann") == []
    assert bench.say("/stop", sender=ADMIN) == []


def test_lets_no_plugin_after_it_see_a_chat_that_is_paused(bench):
    reply, stop = bench.say("/pause 1h", sender=ADMIN)
    assert "11-16 11:00" in reply.messages[0].content["items"][0]["text"]
    assert isinstance(stop, Stop)
    assert bench.say("你好", sender="Ann") == [Stop(rule="paused until 11-16 11:00")]
    assert bench.say("你好", sender="Ann", chat="R:10950000000000007") == []
    bench.clock.advance("1h")
    assert bench.say("你好", sender="Ann") == []


def test_goes_on_when_told(bench):
    bench.say("/pause", sender=ADMIN)
    assert bench.say("/resume", sender=ADMIN).texts == ["恢复处理。"]
    assert bench.say("你好", sender="Ann") == []


def test_a_length_that_is_none_is_refused(bench):
    assert bench.say("/pause soon", sender=ADMIN).texts[0].startswith("soon：")


def test_tells_how_the_bot_is(bench):
    assert bench.say("/status", sender=ADMIN).texts[0].startswith("待处理 ")


def test_tells_why_the_last_message_did_what_it_did(bench):
    bench.say("/pause", sender=ADMIN)
    bench.say("你好", sender="Ann")
    (told,) = bench.say("/why", sender=ADMIN).texts
    assert "「你好」" in told.splitlines()[0]
    assert told.splitlines()[1].startswith("admin paused until 11-16 10:30：stop")
    assert bench.say("/why m999", sender=ADMIN).texts == ["没有这条消息"]


def test_an_answer_of_ours_is_not_the_message_that_is_explained(bench):
    bench.say("你好", sender="Ann")
    bench.say("好的", own=True)
    (told,) = bench.say("/why", sender=ADMIN).texts
    assert "「你好」" in told
