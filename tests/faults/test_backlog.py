"""Everything is killed with 100,000 waiting: work goes on as soon as if one were waiting.

RELAY_WAITING says how many wait (100,000). How many seconds that is, a machine's speed decides: it is told,
and judged only by what the same machine takes for one.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from bots import entry
from faults.evidence import rows
from processes.live import CUSTOMER, TEAMS, account, platform, rooms, until

from relay.authoring.outgoing import text
from relay.simulator.app import Simulator

WAITING = int(os.environ.get("RELAY_WAITING", "100000"))
LONGER = 1.5  # times what it takes with one waiting
FIRST = 6_000_000_000_000_000_000  # svrids that the simulator has not given away

_NUMBERS = """
CREATE TEMP TABLE n AS
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n;
CREATE TEMP TABLE place (i, account, room);
"""
_MESSAGES = """
INSERT INTO messages (id, account, svrid, wx_svrid, chat, chat_type, sender, type, time,
  api_send_id, api_send_svrid, raw, received_at, state, own)
  SELECT 1000 + n.i, account, {first} + n.i, '', room, 'room', '{customer}', 'text', {now},
    '', '', CAST(replace(replace('{raw}', 'ROOM', room), 'SVRID', {first} + n.i) AS BLOB), {now},
    '{state}', {own}
  FROM n JOIN place ON place.i = n.i % {places};
INSERT INTO seen
  SELECT account, {first} + n.i, 1000 + n.i, {now} FROM n JOIN place ON place.i = n.i % {places};
"""
_DELIVERIES = """
INSERT INTO deliveries (message, plugin, rule, ordinal, kind, account, target, body, position, due_at,
  expires_at, created_at, updated_at)
  SELECT 1000 + n.i, 'keyword_reply', 'price', 0, 'send', account, room, CAST('{body}' AS BLOB), 1000 + n.i,
    {now}, {now} + 86400000, {now}, {now}
  FROM n JOIN place ON place.i = n.i % {places};
UPDATE line SET next = 1001 + {count};
"""


def fill(folder: Path, state: str, count: int) -> None:
    """Let so many messages wait for the router, or as many deliveries for the sender."""
    database = apsw.Connection(str(folder / "relay.db"))
    database.set_busy_timeout(5000)  # whoever was killed may not be gone yet
    places = [(account(team), room) for team in range(TEAMS) for room in rooms(team)]
    raw = entry("SVRID", "price?", chat_wxid="R:ROOM", from_wxid=CUSTOMER)
    given = {
        "count": count,
        "first": FIRST,
        "customer": CUSTOMER,
        "now": time.time_ns() // 1_000_000,
        "raw": json.dumps(raw).replace("R:ROOM", "ROOM"),
        "state": state,
        "own": "NULL" if state == "waiting" else "0",
        "places": len(places),
        "body": text("100 yuan").body().decode(),
    }
    database.execute("BEGIN; " + _NUMBERS.format(**given))
    database.executemany(
        "INSERT INTO place VALUES (?, ?, ?)", [(i, *place) for i, place in enumerate(places)]
    )
    database.execute(_MESSAGES.format(**given) + ("" if state == "waiting" else _DELIVERIES.format(**given)))
    database.execute("COMMIT")
    database.close()


ROUTED = "SELECT count(*) FROM messages WHERE id > 1000 AND state <> 'waiting'"


def sent(simulator: Simulator) -> bool:
    return any(request.path.startswith("/wechat/sendMessage") for request in simulator.ledger.requests)


async def seconds_until_work(folder: Path, state: str, count: int) -> float:
    """From the start of the first process to the first message routed, or request made."""
    async with platform(folder) as (simulator, bot):
        await bot.start()
        await bot.kill()
        await asyncio.to_thread(fill, folder, state, count)
        begun = time.monotonic()
        starting = asyncio.create_task(bot.start())
        if state == "waiting":
            await until(lambda: rows(folder, ROUTED) != [(0,)])
        else:
            await until(lambda: sent(simulator))
        took = time.monotonic() - begun
        await starting
        return took


@pytest.mark.long
@pytest.mark.parametrize("state", ["waiting", "routed"])
def test_whatever_waits_work_goes_on_as_soon(
    tmp_path: Path, state: str, record_property: Callable[[str, object], None]
) -> None:
    took: dict[int, list[float]] = {1: [], WAITING: []}
    for turn in range(3):
        for count, seconds in took.items():
            folder = tmp_path / f"{turn}-{count}"
            folder.mkdir()
            seconds.append(asyncio.run(seconds_until_work(folder, state, count)))
    one, many = (statistics.median(seconds) for seconds in took.values())
    record_property("note", f"work goes on after {many:.1f} s with {WAITING:,} {state}, {one:.1f} s with one")
    assert many < LONGER * one
