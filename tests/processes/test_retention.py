"""While a long past goes, callbacks are answered, routed and sent as if nothing went."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import aiohttp
import apsw
import pytest
from bots import callback, entry, rule
from processes.live import CUSTOMER, LiveBot, account, platform, rooms, until

from relay.sending.retention import FIRST
from relay.store.migrate import migrate
from relay.testing import SECRETS

PAST = 250_000  # messages, each with a delivery, an attempt, a line of trace and an id: 1.25 million rows
DAY = 86_400_000
NOISE = 1.5  # times as long as before is nothing that anybody notices, on a machine that is slow by itself

_PAST = """
CREATE TEMP TABLE n AS
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {past}) SELECT i FROM n;
INSERT INTO messages (id, account, svrid, wx_svrid, chat, chat_type, sender, type, time,
  api_send_id, api_send_svrid, raw, received_at, state, own)
  SELECT i, 'a', 'past' || i, '', 'R:' || (i % 500), 'room', 's', 'text', {at} + i, '', '',
    CAST('{{"content":{{"items":[{{"type":"text","text":"' || hex(randomblob(150)) || '"}}]}}}}' AS BLOB),
    {at} + i, 'routed', 0 FROM n;
INSERT INTO seen SELECT 'a', 'past' || i, i, {at} + i FROM n;
INSERT INTO traces SELECT i, 0, 'group_mirror', 'all', 'forward', 'to R:1', 0.1 FROM n;
INSERT INTO deliveries (id, message, plugin, rule, ordinal, kind, account, target, position, attempts, due_at,
  expires_at, created_at, updated_at, entry)
  SELECT i, i, 'p', 'r', 0, 'forward', 'a', 'R:1', i, 1, 0, 0, {at} + i, {at} + i, i FROM n;
UPDATE deliveries SET state = 'discarded';
INSERT INTO attempts (delivery, number, account, started_at, ended_at, outcome)
  SELECT i, 1, 'a', {at} + i, {at} + i, 'taken' FROM n;
UPDATE line SET next = {past} + 1;
"""
_WAITED = """
SELECT deliveries.created_at - messages.received_at
FROM deliveries JOIN messages ON messages.id = deliveries.message
WHERE messages.received_at BETWEEN ? AND ?
"""


def with_a_past(folder: Path, past: int = PAST) -> None:
    """A database in which all this was done 40 days ago."""
    database = apsw.Connection(str(folder / "relay.db"))
    database.execute("PRAGMA auto_vacuum = incremental; PRAGMA journal_mode = wal").fetchall()
    migrate(database)
    database.execute(
        "BEGIN; " + _PAST.format(past=past, at=time.time_ns() // 1_000_000 - 40 * DAY) + "COMMIT"
    )
    database.close()


async def push(bot: LiveBot, seconds: float, label: str) -> list[float]:
    """Push 100 messages a second, and tell how long each answer took."""
    url = f"http://127.0.0.1:{bot.public}/callback/{SECRETS['RELAY_CALLBACK_SECRET']}"
    took: list[float] = []

    async def one(session: aiohttp.ClientSession, number: int) -> None:
        said = entry(f"{label}{number}", chat_wxid=rooms(number % 8)[0], msg_time=time.time_ns() // 1_000_000)
        body = callback({**said, "from_wxid": CUSTOMER}, account=account(number % 8))
        begun = time.perf_counter()
        async with session.post(url, data=body) as answer:
            assert answer.status == 200
            await answer.read()
        took.append(time.perf_counter() - begun)

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        begin = time.perf_counter()
        for number in range(int(seconds * 100)):
            tasks.create_task(one(session, number))
            await asyncio.sleep(max(0.0, begin + number / 100 - time.perf_counter()))
    return took


def p99(numbers: list[float]) -> float:
    return sorted(numbers)[int(len(numbers) * 0.99)]


@pytest.mark.long
@pytest.mark.alone  # it judges milliseconds
@rule
async def test_no_answer_notices_that_a_long_past_goes(tmp_path: Path) -> None:
    with_a_past(tmp_path)
    async with platform(tmp_path) as (_, bot):
        await bot.start()
        look = apsw.Connection(str(tmp_path / "relay.db"))

        def first_kept() -> int:
            return int(str(look.execute("SELECT coalesce(min(id), 0) FROM messages").fetchall()[0][0]))

        async def measured(label: str, seconds: float) -> tuple[float, float]:
            begun = time.time_ns() // 1_000_000
            answers = p99(await push(bot, seconds, label))
            await asyncio.sleep(1)
            waits = look.execute(_WAITED, (begun, time.time_ns() // 1_000_000)).fetchall()
            return answers * 1000, p99([float(str(row[0])) for row in waits])

        await push(bot, 2, "warm")
        before = await measured("before", FIRST - 6)
        await until(lambda: first_kept() > 1)
        first = first_kept()
        during = await measured("during", 20)
        gone = first_kept() - first
        log = (tmp_path / "relay.db-wal").stat().st_size
        print(f"answers p99 {before[0]:.1f} -> {during[0]:.1f} ms")
        print(f"to the outbox p99 {before[1]:.0f} -> {during[1]:.0f} ms")
        print(f"{gone / 21:.0f} messages a second went; log {log / 1e6:.0f} MB")
        look.close()
        assert gone > 1000
        assert during[0] < max(100, before[0] * NOISE)
        assert during[1] < max(200, before[1] * NOISE)
        assert log < 128e6
