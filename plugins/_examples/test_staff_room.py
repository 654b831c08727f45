"""What comes to staff_room, and what it decides."""

import pytest

from relay import Forward, Send

STAFF = "R:10950000000000009"
pytestmark = pytest.mark.relay(
    settings={"staff": "staff"}, chats={"staff": STAFF, "east": "R:10950000000000001"}
)


def test_brings_what_matters_with_who_said_it(bench):
    (told, brought) = bench.say("我要投诉！", sender="Ann", chat="east")
    assert isinstance(told, Send)
    assert told.messages[0].content["items"][0]["text"].startswith("【投诉】Ann @ east")
    assert brought == Forward([STAFF])


def test_leaves_the_rest_where_it_is(bench):
    assert bench.say("你好", chat="east") == []
    assert bench.say("有人投诉了", chat="staff") == []


def test_announces_a_person_once_in_ten_minutes_and_forwards_all(bench):
    assert len(bench.say("退款", sender="Ann", chat="east")) == 2
    assert bench.say("退款！", sender="Ann", chat="east") == [Forward([STAFF])]
    assert len(bench.say("退款", sender="Ben", chat="east")) == 2
    bench.clock.advance("11m")
    assert len(bench.say("退款", sender="Ann", chat="east")) == 2
