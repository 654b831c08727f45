"""What comes to questionnaire, and what it asks."""

import pytest

STAFF = "R:10950000000000009"
pytestmark = pytest.mark.relay(settings={"staff": "staff"}, chats={"staff": STAFF})


def test_asks_one_after_the_other_and_brings_the_answers(bench):
    assert bench.say("报名", sender="Ann").texts == ["您的姓名？"]
    assert bench.say("安安", sender="Ann").texts == ["几个人参加？"]
    assert bench.say("3", sender="Ann").texts == ["联系电话？"]
    thanks, sheet = bench.say("13800138000", sender="Ann").texts
    assert thanks == "谢谢，已登记！"
    assert sheet == "Ann：\n您的姓名？ 安安\n几个人参加？ 3\n联系电话？ 13800138000"


def test_asks_each_person_for_themselves(bench):
    bench.say("报名", sender="Ann")
    assert bench.say("安安", sender="Ben") == []
    bench.say("报名", sender="Ben")
    assert bench.say("安安", sender="Ann").texts == ["几个人参加？"]


def test_goes_on_after_a_restart(bench):
    bench.say("报名", sender="Ann")
    bench.restart()
    assert bench.say("安安", sender="Ann").texts == ["几个人参加？"]


def test_can_be_cancelled(bench):
    bench.say("报名", sender="Ann")
    assert bench.say("取消", sender="Ann").texts == ["好的，已取消。"]
    assert bench.say("安安", sender="Ann") == []


def test_ends_where_nobody_answers(bench):
    bench.say("报名", sender="Ann")
    assert bench.clock.advance("11m").texts == ["先到这里。想继续时，请再发“报名”。"]
    assert bench.say("安安", sender="Ann") == []
