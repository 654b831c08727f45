"""Hostile JSON on its whole way: answered, kept, routed as far as it can be, and nobody else harmed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import hostile
import pytest
from bots import EAST, MIRROR, REPLY, Row, deliveries, entry, make_bot, messages, receive, rule, said, sealed

from relay.cli.screen import clean, print_json
from relay.testing import SECRETS, Bot, asgi_call

PATH = "/callback/" + SECRETS["RELAY_CALLBACK_SECRET"]
SMALL, ALL = 6_000, 10_000_000
SOME = [("content", SMALL), ("svrid", SMALL), ("chat_wxid", 100)]
REST = [
    *(("content", ALL), ("extra", ALL), ("more", ALL), ("chat_wxid", SMALL), ("from_wxid", SMALL)),
    *(("to_wxid", SMALL), ("msg_type", SMALL), ("msg_time", SMALL), ("api_send_id", SMALL)),
]


def neighbour(name: str) -> bytes:
    return json.dumps(entry(name, "price", wx_svrid="w" + name)).encode()


def bodies(field: str, most: int) -> Iterator[bytes]:
    for number, value in enumerate(hostile.VALUES.values()):
        if len(value) <= most:
            odd = hostile.entry(**{"svrid": b'"odd%d"' % number, field: value})
            around = (neighbour(f"{number}a"), odd, neighbour(f"{number}b"))
            yield sealed(hostile.envelope(*around))


async def check_told(bot: Bot, capsys: pytest.CaptureFixture[str]) -> list[Row]:
    """Commands and console can print what there is, and no terminal obeys it."""
    rows = await messages(bot)
    json.dumps(rows, ensure_ascii=False).encode()
    assert all(clean(str(row["text"])).isprintable() for row in rows if "\u200d" not in str(row["text"]))
    print_json(rows)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert json.loads(printed) == rows
    return rows


@pytest.mark.parametrize(
    ("field", "most"), [*SOME, *(pytest.param(*each, marks=pytest.mark.long) for each in REST)]
)
def test_whatever_stands_in_an_entry_its_neighbours_are_routed_and_answered(
    field: str, most: int, capsys: pytest.CaptureFixture[str]
) -> None:
    @rule
    async def run() -> None:
        async with make_bot(MIRROR + REPLY) as bot:
            for body in bodies(field, most):
                assert await asgi_call(bot.door, "POST", PATH, body=body) == (200, b'{"errcode":0}')
            await bot.work()
            rows = await check_told(bot, capsys)
            good = [row for row in rows if re.fullmatch(r"\d+[ab]", str(row["svrid"]))]
            assert {row["state"] for row in good} == {"routed"}
            assert len(good) == 2 * len(list(bodies(field, most)))
            assert not [row for row in rows if row["state"] in ("set_aside", "waiting")]
            ids = {row["id"] for row in good}
            assert len([each for each in await deliveries(bot) if each["message_id"] in ids]) == 2 * len(good)

    run()


@rule
async def test_the_router_goes_on_with_what_comes_later() -> None:
    async with make_bot(REPLY) as bot:
        for value in (hostile.deep(b"["), hostile.deep(b'{"a":'), b'"' + rb"\u0000" * 50_000 + b'"'):
            await bot.push(sealed(hostile.envelope(hostile.entry(content=value))))
        await receive(bot, entry("9", "price"))
        await bot.work()
        assert "ten" in said(bot, EAST)


@rule
async def test_hostile_bodies_leave_a_bounded_number_of_damaged_ones() -> None:
    async with make_bot() as bot:
        await bot.push(sealed(hostile.envelope(*[b"1"] * 3000)))
        for _ in range(3):
            await bot.push(sealed(hostile.envelope(*[b"{bad}"] * 400)))
        assert len(await bot.store.damaged(10_000)) == 4 * 16
