"""What is long settled goes; what is not, what belongs to it, and what tells a repeated push, stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest
from bots import ANN, EAST, MIRROR, ONE, TWO, WEST, deliveries, entry, make_bot, messages, receive, rule
from structlog.testing import capture_logs

from relay.errors import StorageError
from relay.sending import retention as chores
from relay.sending.retention import SLACK, Retention, RetentionSettings
from relay.store.past import Kept
from relay.store.sqlite import SqliteStore, ask, ingest, retention
from relay.store.sqlite.connection import Database
from relay.store.sqlite.reading import ReadOnlyDatabase
from relay.testing import Bot, ManualClock

DAY = 86_400_000
HOUR = 3600
TABLES = ("messages", "traces", "deliveries", "attempts", "events", "damaged", "sources", "copies", "seen")


class Restless:
    """A bot's time, in which no pause takes any."""

    def __init__(self, clock: ManualClock) -> None:
        self.now, self.steady, self.heed, self.era = clock.now, clock.steady, clock.heed, clock.era

    async def sleep(self, seconds: float) -> None:
        """Return at once."""


def chore(bot: Bot, retain: int = 30 * DAY, remember: int = 180 * DAY) -> Retention:
    return Retention(bot.store, Restless(bot.clock), RetentionSettings(retain, remember))


def by_the_platform(bot: Bot, shows: int | None) -> Retention:
    """The chore of a bot to which the platform has shown this time."""
    return replace(chore(bot), platform=lambda: shows)


async def rows(bot: Bot) -> dict[str, int]:
    """How many there are in each table that holds the past, leaving out the empty ones."""
    query = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in TABLES)
    found = await bot.store._db.read(lambda db: ask.every(db, query))
    return {table: count for table, count in found if count}


async def mirrored(bot: Bot, *texts: str) -> None:
    """Let Ann say these in East, and the mirror settle."""
    for text in texts:
        bot.simulator.say(EAST, ANN, text)
        await bot.work()
    await bot.pass_time(61)


@rule
async def test_what_is_settled_and_old_goes_with_all_that_belongs_to_it() -> None:
    async with make_bot(MIRROR) as bot:
        await mirrored(bot, "one", "two")
        bot.clock.jump(30 * 24 * HOUR + 1)
        await chore(bot).round()
        assert set(await rows(bot)) == {"sources", "copies", "seen"}
        counts: Any = await bot.store.counts()
        assert counts["deliveries"]["delivered"] == 0


@rule
async def test_what_is_not_old_stays() -> None:
    async with make_bot(MIRROR) as bot:
        await mirrored(bot, "one")
        before = await rows(bot)
        bot.clock.jump(30 * 24 * HOUR - 120)
        assert not await chore(bot).round()
        assert await rows(bot) == before


@rule
async def test_a_message_with_an_open_delivery_stays_whole() -> None:
    async with make_bot(
        MIRROR.replace(f'"{WEST}"', f'"{WEST}", "R:10950000000000003"'), configured=True
    ) as bot:
        await receive(bot, entry("1"))
        await bot.router.drain()
        (first, second) = await deliveries(bot)
        await bot.store.discard([int(first["id"][1:])])
        bot.clock.jump(31 * 24 * HOUR)
        assert not await chore(bot).round()
        await bot.store.discard([int(second["id"][1:])])
        bot.clock.jump(31 * 24 * HOUR)
        assert (await chore(bot).round())[Kept.MESSAGES] == 1
        assert "deliveries" not in await rows(bot)


@rule
async def test_a_copy_stays_as_long_as_another_message_is_forwarded_from_it() -> None:
    async with make_bot(MIRROR + f'account = "{TWO}"\n', accounts=(ONE, TWO), configured=True) as bot:
        await receive(bot, entry("1", wx_svrid="7"), account=ONE)
        await bot.router.drain()
        await receive(bot, entry("2", wx_svrid="7"), account=TWO)
        await bot.router.drain()
        bot.clock.jump(31 * 24 * HOUR)
        assert not await chore(bot).round()
        assert len(await messages(bot)) == 2


@rule
async def test_what_waits_never_goes() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        await receive(bot, entry("1"))
        bot.clock.jump(31 * 24 * HOUR)
        assert not await chore(bot).round()


@pytest.mark.parametrize(("days", "known"), [(31, True), (182, False)])
@rule
async def test_a_repeated_push_is_not_acted_on_whether_or_not_its_id_is_still_known(
    days: int, known: bool
) -> None:
    async with make_bot(MIRROR, accounts=(ONE, TWO), configured=True) as bot:
        repeated = entry("1", wx_svrid="7", msg_time=bot.clock.now())
        await receive(bot, repeated)
        await bot.work()
        await bot.pass_time(61)
        assert len(await deliveries(bot)) == 1
        bot.clock.jump(days * 24 * HOUR)
        await chore(bot).round()
        assert ("seen" in await rows(bot)) is known
        await receive(bot, repeated)
        await receive(bot, repeated, account=TWO)
        await bot.pass_time(10)
        assert await deliveries(bot) == []


@rule
async def test_ids_outlive_the_age_from_which_nothing_is_acted_on() -> None:
    """The platform's clock may be ahead of ours: what is gone must be too old by either."""
    async with make_bot(MIRROR) as bot:
        await mirrored(bot, "one")
        bot.clock.jump(180 * 24 * HOUR)
        await chore(bot).round()
        assert "seen" in await rows(bot)
        bot.clock.jump(SLACK / 1000)
        await chore(bot).round()
        assert await rows(bot) == {}


@rule
async def test_copies_are_counted_on_where_earlier_ones_are_forgotten() -> None:
    """Without a time of their own, messages may be alike for half a year."""
    async with make_bot(MIRROR, configured=True) as bot:
        for number in range(2):
            await receive(bot, entry(str(number), msg_time=0))
            await bot.work()
            bot.clock.jump(100 * 24 * HOUR)
        await chore(bot).round()
        assert (await rows(bot))["copies"] == 1
        await receive(bot, entry("9", msg_time=0))
        await bot.work()
        assert (await messages(bot))[-1]["state"] == "routed"


@rule
async def test_a_message_that_went_to_thousands_goes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "DELIVERIES_AT_ONCE", 1)
    async with make_bot(MIRROR.replace(f'"{WEST}"', f'"{WEST}", "R:10950000000000003"')) as bot:
        await mirrored(bot, "one")
        bot.clock.jump(31 * 24 * HOUR)
        before = bot.clock.now() - 30 * DAY
        found = await bot.store.outdated(Kept.MESSAGES, None, before, 10)
        removal = await bot.store.remove(Kept.MESSAGES, found.keys[:1], before)
        assert (removal.count, removal.left, len(await deliveries(bot))) == (0, True, 1)
        await chore(bot).round()
        assert "messages" not in await rows(bot)


@rule
async def test_a_retry_meanwhile_keeps_the_message() -> None:
    async with make_bot(MIRROR, configured=True) as bot:
        await receive(bot, entry("1"))
        await bot.router.drain()
        bot.clock.jump(HOUR)
        await bot.store.settle_due()
        bot.clock.jump(31 * 24 * HOUR)
        before = bot.clock.now() - 30 * DAY
        found = await bot.store.outdated(Kept.MESSAGES, None, before, 10)
        await bot.store.retry([1], 1000)
        assert (await bot.store.remove(Kept.MESSAGES, found.keys, before)).count == 0
        assert len(await deliveries(bot)) == 1


@rule
async def test_a_refusing_disk_ends_no_chore() -> None:
    class Refusing:
        asked = 0

        async def outdated(self, *_: object) -> None:
            self.asked += 1
            if self.asked > 2:
                raise SystemExit
            raise StorageError("disk full")

    store = Refusing()
    chored = Retention(store, Restless(ManualClock()), RetentionSettings(1, 1))  # type: ignore[arg-type]
    with pytest.raises(SystemExit):
        await chored._rounds()
    assert store.asked == 3


def pages(database: Database | ReadOnlyDatabase) -> int:
    return int(str(database.glance(lambda db: db.pragma("page_count"))))


@rule
async def test_a_file_gives_back_the_room_that_it_will_not_need_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "RESERVE", 100)
    store = SqliteStore(tmp_path / "relay.db", ManualClock())
    await store.ingest([], damaged=[("big", bytes(4_000_000))])
    full = pages(store._db)
    await store._db.write(lambda db: ask.every(db, "DELETE FROM damaged"))
    await Retention(store, Restless(ManualClock()), RetentionSettings(1, 1)).round()
    assert pages(store._db) < full - 900 + 100
    store.close()


@rule
async def test_a_log_that_grew_long_is_cut_once_nobody_reads_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LONG_LOG", 100)
    database = Database(tmp_path / "relay.db")
    log = tmp_path / "relay.db-wal"
    reader = apsw.Connection(str(tmp_path / "relay.db"))
    reader.execute("BEGIN; SELECT count(*) FROM meta").fetchall()
    await database.write(lambda db: ingest.keep_damaged(db, [("big", bytes(1_000_000))], 0))
    assert not retention.shorten_log(database.path)
    assert log.stat().st_size > 1_000_000
    reader.execute("COMMIT")
    assert retention.shorten_log(database.path)
    assert log.stat().st_size == 0
    reader.close()
    database.close()


# -- a clock that is wrong -----------------------------------------------------


@rule
async def test_nothing_goes_because_our_clock_is_years_ahead_and_that_is_told() -> None:
    async with make_bot(MIRROR) as bot:
        await mirrored(bot, "one", "two")
        true, before = bot.clock.now(), await rows(bot)
        bot.clock.set_by(3650 * 24 * HOUR)
        with capture_logs() as logs:
            await by_the_platform(bot, true).round()
        assert await rows(bot) == before
        assert [(each["event"], each["days"]) for each in logs] == [("clock_ahead", 3650)]
        assert (await bot.store.counters())["clock_ahead_total"] == 1


@rule
async def test_what_is_old_by_the_platforms_clock_goes_though_ours_is_ahead() -> None:
    async with make_bot(MIRROR) as bot:
        await mirrored(bot, "one")
        true = bot.clock.now() + 31 * DAY
        bot.clock.set_by(3650 * 24 * HOUR)
        await by_the_platform(bot, true).round()
        assert set(await rows(bot)) == {"sources", "copies", "seen"}


@rule
async def test_as_long_as_the_platform_has_told_nothing_age_counts_from_what_was_said_last() -> None:
    async with make_bot(MIRROR) as bot:
        await mirrored(bot, "one", "two")
        before = await rows(bot)
        bot.clock.set_by(3650 * 24 * HOUR)
        await by_the_platform(bot, None).round()
        assert await rows(bot) == before


@rule
async def test_a_platform_whose_clock_is_ahead_makes_nothing_go_early() -> None:
    async with make_bot(MIRROR) as bot:
        await mirrored(bot, "one")
        before = await rows(bot)
        await by_the_platform(bot, bot.clock.now() + 3650 * DAY).round()
        assert await rows(bot) == before


@rule
async def test_what_was_kept_while_the_clock_was_a_year_ahead_holds_up_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chores, "LOOKED_AT", 2)
    async with make_bot(MIRROR) as bot:
        bot.clock.set_by(365 * 24 * HOUR)
        await mirrored(bot, "one", "two", "three")
        bot.clock.heed()
        bot.clock.set_by(-365 * 24 * HOUR)
        bot.clock.heed()
        await mirrored(bot, "four", "five", "six")
        bot.clock.jump(31 * 24 * HOUR)
        await mirrored(bot, "seven")
        await chore(bot).round()
        texts = {str(row["text"]) for row in await messages(bot)}
        assert texts == {"one", "two", "three", "seven"}
