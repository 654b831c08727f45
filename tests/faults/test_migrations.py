"""kill -9 in the middle of a migration, at any step of it: the database is whole, and nothing is lost.

RELAY_POINTS says how many kills there are (50), of databases that relays of any age have left.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from faults.evidence import rows
from faults.parts import parts
from processes.live import platform

from relay.store.migrate import migrations

KILLS = int(os.environ.get("RELAY_POINTS", "50"))
PART = 25
PARTS = parts(KILLS, PART)
SEED = os.environ.get("RELAY_SEED", "20261122")
TESTS = Path(__file__).parent.parent
NEWEST = migrations()[-1][0]
FULL = 1_500  # messages, each with a delivery, an attempt, a line of trace and an id
PATIENCE = 60.0  # seconds
WHOLE = max(1, KILLS // 2)  # kills of a whole bot
OPENS = (0.6, 1.6)  # seconds after its start: by then it opens the database

_FULL = """
CREATE TEMP TABLE n AS
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {full}) SELECT i FROM n;
INSERT INTO meta VALUES ('origin', 'cafe');
INSERT INTO messages (id, account, svrid, wx_svrid, chat, chat_type, sender, type, time,
  api_send_id, api_send_svrid, raw, received_at, state, own)
  SELECT i, 'a', 'id' || i, '', 'R:' || (i % 50), 'room', 's', 'text', i, '', '', randomblob(300), i,
    'routed', 0 FROM n;
INSERT INTO seen SELECT 'a', 'id' || i, i, i FROM n;
INSERT INTO traces SELECT i, 0, 'group_mirror', 'all', 'forward', 'to R:1', 0.1 FROM n;
INSERT INTO deliveries (message, plugin, rule, ordinal, kind, account, target, position, attempts, due_at,
  expires_at, created_at, updated_at)
  SELECT i, 'p', 'r', 0, 'forward', 'a', 'R:1', i, 1, 0, 0, i, i FROM n;
UPDATE deliveries SET state = 'discarded' WHERE id % 3 = 0;
UPDATE deliveries SET state = 'sending' WHERE id % 3 = 1;
INSERT INTO attempts (delivery, number, account, started_at, ended_at, outcome)
  SELECT i, 1, 'a', i, i, 'taken' FROM n;
INSERT INTO events (kind, account, api_send_id, api_send_svrid, raw, received_at)
  SELECT 'chatMsgSendFail', 'a', '', '', X'7B7D', i FROM n;
INSERT INTO damaged (reason, body, received_at) SELECT 'entry', randomblob(100), i FROM n;
UPDATE line SET next = {full} + 1;
DROP TABLE n;
"""
_ASIDE = "INSERT INTO aside (body, received_at) VALUES (randomblob(300000), 1), (randomblob(300000), 2)"


def old_database(file: Path, version: int) -> None:
    """One as a relay of that schema left it, full."""
    database = apsw.Connection(str(file))
    for pragma in ("auto_vacuum = incremental", "journal_mode = wal", "foreign_keys = on"):
        database.execute(f"PRAGMA {pragma}").fetchall()
    database.execute("BEGIN")
    for number, sql in migrations()[:version]:
        database.execute(sql)
        if number == 1:
            database.execute(_FULL.format(full=FULL))
        if number == 5:
            database.execute(_ASIDE)
    database.execute(f"PRAGMA user_version = {version}; COMMIT")
    database.close()


def content(file: Path) -> dict[str, str]:
    """What is in each table, and how it is made; with what SQLite says of the whole."""
    with contextlib.closing(apsw.Connection(str(file))) as database:
        made = database.execute("SELECT name, type, sql FROM sqlite_master ORDER BY name").fetchall()
        found = {str(name): str(sql) for name, _, sql in made}
        for name in [str(name) for name, kind, _ in made if kind == "table"]:
            rows = database.execute(f"SELECT * FROM {name}").fetchall()
            found[f"rows of {name}"] = str(hash(tuple(sorted(rows, key=repr))))
        for pragma in ("integrity_check", "foreign_key_check", "user_version"):
            found[pragma] = str(database.execute(f"PRAGMA {pragma}").fetchall())
        return found


def opening(file: Path, *where: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "faults.migrating", str(file), *map(str, where)]
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out or err[-2000:]


class Upgrade:
    """The way from one schema to the newest: where it starts, where it leads, and what it consists of."""

    def __init__(self, folder: Path, version: int) -> None:
        self.old = folder / f"{version}.db"
        old_database(self.old, version)
        self._file = folder / f"upgraded{version}.db"
        shutil.copy(self.old, self._file)
        code, told = ended(opening(self._file))
        assert code == 0, told
        self.ticks: list[int] = json.loads(told)
        self.whole = content(self._file)

    def interrupted(self, chance: random.Random) -> int:
        """Have it killed at one of its statements, which may be over by then; its exit code."""
        for suffix in ("", "-wal", "-shm"):
            self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
        shutil.copy(self.old, self._file)
        statement = chance.randrange(len(self.ticks))
        ticks = self.ticks[statement]
        tick = chance.choice((0, chance.randint(0, ticks), -1 if statement == len(self.ticks) - 1 else ticks))
        code, told = ended(opening(self._file, statement, tick))
        assert code in (0, -signal.SIGKILL), told
        return code

    def repeated(self) -> list[str]:
        """Have two processes open what is left at once; what differs from an undisturbed upgrade."""
        both = [ended(process) for process in (opening(self._file), opening(self._file))]
        found = content(self._file)
        return [told.decode() for code, told in both if code] + [
            name for name in {**found, **self.whole} if found.get(name) != self.whole.get(name)
        ]


@pytest.mark.long
@pytest.mark.parametrize(("part", "kills"), PARTS)
def test_a_migration_that_is_killed_loses_nothing(
    tmp_path: Path,
    part: int,
    kills: int,
    record_property: Callable[[str, object], None],
    progress: Callable[[str], None],
) -> None:
    chance = random.Random(f"{SEED}/{part}")
    upgrades = [Upgrade(tmp_path, version) for version in {1, *chance.sample(range(2, NEWEST), 2)}]
    codes = []
    for number in range(kills):
        progress(f"{number} of {kills} kills")
        upgrade = chance.choice(upgrades)
        codes.append(upgrade.interrupted(chance))
        assert upgrade.repeated() == []
    stored = FULL * kills
    record_property("figures", {"faults": kills, "stored": stored, "deliveries": stored})
    record_property("violations", {})
    assert -signal.SIGKILL in codes


@pytest.mark.long
def test_a_bot_that_is_killed_while_it_migrates_loses_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None], progress: Callable[[str], None]
) -> None:
    """All of it at once, as by a machine that is switched off; whoever comes next goes on."""
    chance = random.Random(SEED)
    upgrade = Upgrade(tmp_path, 1)

    async def go() -> None:
        async with platform(tmp_path) as (_, bot):
            shutil.copy(upgrade.old, tmp_path / "relay.db")
            for number in range(WHOLE):
                progress(f"{number} of {WHOLE} kills")
                bot._spawn()
                await asyncio.sleep(chance.uniform(*OPENS))
                await bot.kill()
            await bot.start()
            assert await bot.stop() == 0

    asyncio.run(go())
    found = content(tmp_path / "relay.db")
    assert [found[pragma] for pragma in ("integrity_check", "foreign_key_check", "user_version")] == [
        upgrade.whole[pragma] for pragma in ("integrity_check", "foreign_key_check", "user_version")
    ]
    counts = "SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM deliveries)"
    assert rows(tmp_path, counts) == [(FULL, FULL)]
    record_property("figures", {"faults": WHOLE, "stored": FULL, "deliveries": FULL})


@pytest.mark.long
def test_a_migration_without_a_transaction_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(SEED)
    upgrade = Upgrade(tmp_path, 1)

    def differs() -> bool:
        with monkeypatch.context() as unguarded:
            unguarded.setenv("RELAY_UNGUARDED", "transaction")
            upgrade.interrupted(chance)
        return upgrade.repeated() != []

    assert any(differs() for _ in range(10))
