"""An answer tells nobody what was wrong: not by its bytes, not by its time, not by its path."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import replace

import pytest
from bots import ONE, callback, entry, make_bot, messages, rule, sealed
from receiver.door import GOOD, PATH, head, post, serving, statuses

from relay.testing import Bot

RAW = base64.b64decode(GOOD)
BAD: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"neither this nor that",
    "another key": bytes([RAW[0] ^ 1]) + RAW[1:],
    "bad base64": GOOD[:-3] + b"!!!",
    "bad padding": base64.b64encode(RAW[:-32]),
    "half a block": base64.b64encode(RAW[:-5]),
    "plaintext": json.dumps([{"type": "chatMsg", "rel_wxid": ONE, "data": [entry()]}]).encode(),
    "huge": b"x" * 1_000_000,
    "compressed": gzip.compress(GOOD),
    "no array": sealed(b"7"),
    "half an array": sealed(b'[{"type":"chatMsg","data":[{'),
    "half good": sealed(b'[{"type":"chatMsg","rel_wxid":"1","data":[7,{"svrid":"9"}]},8]'),
    "deep": sealed(b'[{"type":"chatMsg","data":' + b"[" * 100_000),
}


class Counted:
    """A disk that counts how often something is put on it."""

    def __init__(self, bot: Bot) -> None:
        self.syncs = 0
        care = bot.receiver._journal.journal._care
        self._sync = care.sync
        bot.receiver._journal.journal._care = replace(care, sync=self)

    def __call__(self, file: int) -> None:
        self.syncs += 1
        self._sync(file)


@pytest.mark.parametrize("kind", BAD)
@rule
async def test_a_bad_body_is_answered_as_a_good_one_to_the_byte(kind: str) -> None:
    async with make_bot() as bot, serving(bot) as door:
        good = await door.talk(post())
        assert statuses(good) == [200]
        assert await door.talk(post(BAD[kind])) == good


@pytest.mark.parametrize("kind", [kind for kind in BAD if len(BAD[kind]) < 100_000])
@rule
async def test_a_bad_body_is_one_write_as_a_good_one_is(kind: str) -> None:
    async with make_bot() as bot, serving(bot) as door:
        disk = Counted(bot)
        for body in (GOOD, BAD[kind]):
            await door.talk(post(body))
        assert disk.syncs == 2


@rule
async def test_every_path_but_the_right_one_is_answered_alike() -> None:
    near = (
        PATH[:-1],
        PATH + "x",
        PATH + "/",
        "/" + PATH,
        PATH.upper(),
        PATH + "%00",
        PATH.replace("/c", "/%2f"),
    )
    async with make_bot() as bot, serving(bot) as door:
        wrong = await door.talk(post(path="/"))
        assert statuses(wrong) == [404]
        for path in (*near, "/healthz/", "/metrics", "/callback/../" + PATH, "/a/.." + PATH):
            assert await door.talk(post(path=path)) == wrong, path
        assert await messages(bot) == []


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "M-SEARCH"])
@rule
async def test_every_other_method_finds_nothing_there(method: str) -> None:
    async with make_bot() as bot, serving(bot) as door:
        wrong = await door.talk(post(path="/"))
        for path in (PATH, "/healthz", "/readyz", "/"):
            assert await door.talk(head(f"{method} {path} HTTP/1.1")) == wrong


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@rule
async def test_whoever_tries_the_address_is_answered(method: str) -> None:
    async with make_bot() as bot, serving(bot) as door:
        for path in (PATH, PATH + "?a=b", "http://anything" + PATH, "/healthz", "/readyz"):
            assert statuses(await door.talk(head(f"{method} {path} HTTP/1.1", "connection: close\r\n"))) == [
                200
            ]
        assert await messages(bot) == []


@pytest.mark.parametrize("path", [PATH + "?a=b", "http://anything" + PATH, PATH.replace("-", "%2D")])
@rule
async def test_an_address_written_otherwise_is_the_same(path: str) -> None:
    async with make_bot() as bot, serving(bot) as door:
        assert statuses(await door.talk(post(path=path))) == [200]
        assert len(await messages(bot)) == 1


@rule
async def test_a_callback_in_one_write_each_for_head_and_body_is_kept() -> None:
    async with make_bot() as bot, serving(bot) as door:
        sent = post(callback(entry("7")))
        at = sent.index(b"\r\n\r\n") + 4
        assert statuses(await door.talk(sent[:at], sent[at:])) == [200]
        assert [row["svrid"] for row in await messages(bot)] == ["7"]
