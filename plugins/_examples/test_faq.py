"""What comes to faq, and what it decides."""

import pytest

from relay.testing import Bench

ROWS = [
    ("question", "answer"),
    ("地址|在哪", "人民路 1 号"),
    ("营业时间|几点开门", "9:00-18:00"),
    ("周末营业", "周末也营业"),
]
TABLE = "".join(f"{question},{answer}\n" for question, answer in ROWS)


@pytest.fixture
def table(tmp_path):
    file = tmp_path / "faq.csv"
    file.write_text(TABLE, "utf-8")
    return file


@pytest.fixture
def faq(table, request):
    with Bench("faq", settings={"file": str(table)}, beside=request.path) as bench:
        yield bench


def test_answers_from_the_table(faq):
    assert faq.say("请问你们在哪？").texts == ["人民路 1 号"]
    assert faq.say("你好") == []


def test_offers_what_may_be_meant(faq):
    assert faq.say("周末营业时间").texts == ["您想问的是？\n· 营业时间\n· 周末营业"]


def test_reads_the_file_again_when_it_has_changed(faq, table):
    assert faq.say("发票") == []
    table.write_text(TABLE + ",".join(["发票", "发邮件给您"]), "utf-8")
    assert faq.say("要发票").texts == ["发邮件给您"]
    table.unlink()
    assert faq.say("要发票") == []
