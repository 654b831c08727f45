"""Times in which nobody listened, what must not be concluded from their silence, and chats to fetch again."""

from __future__ import annotations

import apsw

from relay.store.protocol import TAKEN_IN
from relay.store.sqlite import ask
from relay.store.values import Gap, Repair

DEAF = 5_000  # ms without a sign of life of any receiver, which gives one every second
DEAD = 3_000  # ms after which a receiver that another one has followed is dead
MOST_CHATS = 5_000  # where somebody spoke last
LONG = 86_400_000  # ms that a silence may have lasted which no clock tells of
FORGOTTEN = 30 * 86_400_000  # ms after which nobody asks for a gap any more
LATELY = 200  # messages of a chat, from the newest, among which its ears are looked for

_LISTENED = "SELECT value FROM meta WHERE key = 'listened_at'"
_LISTENING = "INSERT OR REPLACE INTO meta VALUES ('listened_at', ?)"
# A receiver that ends in order takes itself off the list, and serves until then.
_DIED = """
SELECT max(beat) FROM processes
WHERE role = 'receiver' AND pid <> :pid AND beat BETWEEN :mourned + 1 AND :now - :dead
"""
_MOURNED = "SELECT value FROM meta WHERE key = 'receiver_died_at'"
_MOURN = "INSERT OR REPLACE INTO meta VALUES ('receiver_died_at', ?)"
_ANOTHER = "SELECT 1 FROM processes WHERE role = 'receiver' AND pid <> ? AND beat >= ? LIMIT 1"
_LEFT = "SELECT value FROM meta WHERE key = 'receiver_left_at'"
_LEAVE = "INSERT OR REPLACE INTO meta VALUES ('receiver_left_at', ?)"
_STAY = "DELETE FROM meta WHERE key = 'receiver_left_at'"
# One that does not tell may have something from before that nobody else has.
_TAKEN_IN = f"""
INSERT OR REPLACE INTO meta
SELECT 'taken_in', CAST(told AS TEXT) FROM (
  SELECT min(min(beat, coalesce(note ->> '{TAKEN_IN}', 0))) AS told FROM processes
  WHERE role = 'receiver' AND beat >= ?)
WHERE told > 0
"""
_ALL_IN = """
SELECT min(told, coalesce((SELECT received_at FROM aside WHERE id = (SELECT min(id) FROM aside)), told))
FROM (SELECT CAST(value AS INTEGER) AS told FROM meta WHERE key = 'taken_in')
"""
_GAP = "INSERT INTO gaps (begins, ends) VALUES (?, ?)"
# Silence confirms nothing while nobody listens: what was to be confirmed by then waits as much longer.
_WAIT_LONGER = """
UPDATE deliveries INDEXED BY deliveries_settle SET settle_at = settle_at + :ends - :begins
WHERE settle_at > :begins AND state = 'accepted'
"""
_GAPS_SINCE = "SELECT 1 FROM gaps WHERE ends >= ? LIMIT 1"
_OPEN = "SELECT id, begins, ends FROM gaps WHERE open = 1 AND ends <= ? ORDER BY ends LIMIT 1"
# A loose index scan: one step to each chat, however many messages it has.
_CHATS = """
WITH RECURSIVE chats (chat) AS (
  SELECT min(chat) FROM messages
  UNION ALL SELECT (SELECT min(chat) FROM messages WHERE chat > chats.chat) FROM chats WHERE chat IS NOT NULL
)
SELECT chat, (SELECT acting FROM rooms WHERE rooms.chat = chats.chat) FROM chats
WHERE chat IS NOT NULL AND chat <> ''
ORDER BY (SELECT max(id) FROM messages WHERE messages.chat = chats.chat) DESC LIMIT ?
"""
_EARS = """
SELECT account FROM (
  SELECT account FROM messages INDEXED BY messages_chat WHERE chat = ? ORDER BY id DESC LIMIT ?)
WHERE account <> '' GROUP BY account
"""
_LAST_BEFORE = """
SELECT svrid, received_at FROM messages INDEXED BY messages_chat
WHERE chat = ? AND account = ? AND late = 0 AND svrid <> '' AND received_at <= ? ORDER BY id DESC LIMIT 1
"""
_REPAIR = """
INSERT INTO repairs VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET ends = max(ends, excluded.ends), heard_at = max(heard_at, excluded.heard_at)
"""
_NEXT = "SELECT account, chat, after, begins, ends FROM repairs ORDER BY heard_at DESC LIMIT ?"


def mourn(connection: apsw.Connection, pid: int, now: int) -> None:
    """A receiver that was killed may have cut off what it was about to read, however soon it was followed."""
    mourned = int(ask.value(connection, _MOURNED) or 0)
    asked = {"pid": pid, "now": now, "dead": DEAD, "mourned": mourned}
    died_at = ask.value(connection, _DIED, asked)
    if died_at is not None:
        connection.execute(_MOURN, (str(died_at),))
        note(connection, died_at, now)


def leave(connection: apsw.Connection, pid: int, now: int) -> None:
    """A receiver ends in order: where it is the last one, nobody listens from here."""
    if not ask.every(connection, _ANOTHER, (pid, now - DEAD)):
        connection.execute(_LEAVE, (str(now),))


def take_left(connection: apsw.Connection) -> int | None:
    """When the last receiver ended in order, to whoever comes first after it; None for all others."""
    left_at = ask.value(connection, _LEFT)
    if left_at is None:
        return None
    connection.execute(_STAY)
    return int(left_at)


def last_listened(connection: apsw.Connection) -> int | None:
    """When a receiver gave its last sign of life; None where none ever did."""
    found = ask.value(connection, _LISTENED)
    return None if found is None else int(found)


def deaf_since(connection: apsw.Connection, now: int) -> int | None:
    """Since when nobody listens; None while somebody does, as far as is known."""
    last = last_listened(connection)
    return min(last, now) if last is not None and abs(now - last) > DEAF else None


def live(connection: apsw.Connection, now: int) -> None:
    """A receiver is alive."""
    connection.execute(_LISTENING, (str(now),))


def take_in(connection: apsw.Connection, now: int) -> None:
    """Note up to when whatever any receiver that lives was told is in the database."""
    connection.execute(_TAKEN_IN, (now - DEAD,))


def all_in_before(connection: apsw.Connection) -> int | None:
    """Whatever was received before that time is in the database and read; None where nobody ever told."""
    found: int | None = ask.value(connection, _ALL_IN)
    return found


def miss(connection: apsw.Connection, begins: int, ends: int) -> None:
    """Have what was said between these times fetched, whatever it means for what was sent."""
    connection.execute(_GAP, (begins, ends))


def note(connection: apsw.Connection, begins: int, ends: int) -> None:
    """Remember that nobody listened between these times."""
    miss(connection, begins, ends)
    connection.execute("DELETE FROM gaps WHERE open = 0 AND ends < ?", (ends - FORGOTTEN,))
    connection.execute(_WAIT_LONGER, {"begins": begins, "ends": ends})


def listened_since(connection: apsw.Connection, since: int, now: int) -> bool:
    """Whether somebody listened all the time since then."""
    return deaf_since(connection, now) is None and not ask.every(connection, _GAPS_SINCE, (since,))


def open_gap(connection: apsw.Connection, before: int) -> Gap | None:
    """The first gap that ended before a time, and whose chats are not listed yet."""
    row = ask.first(connection, _OPEN, (before,))
    return None if row is None else Gap(*row)


def chats_of(connection: apsw.Connection, gap: Gap) -> list[tuple[Repair, int]]:
    """Every chat that was known before a gap, by the account that acts there, and when it was heard last."""
    found = []
    for chat, acting in ask.every(connection, _CHATS, (MOST_CHATS,)):
        ears = [acting] if acting else [row[0] for row in ask.every(connection, _EARS, (chat, LATELY))]
        for account in ears:
            svrid, heard_at = ask.first(connection, _LAST_BEFORE, (chat, account, gap.begins)) or ("", 0)
            found.append((Repair(account, chat, svrid, gap.begins, gap.ends), heard_at))
    return found


def ask_others(connection: apsw.Connection, repair: Repair) -> None:
    """List a room for its other ears: the one that acts there is told nothing, and may be ours no more."""
    if repair.account != ask.value(connection, "SELECT acting FROM rooms WHERE chat = ?", (repair.chat,)):
        return
    for (account,) in ask.every(connection, _EARS, (repair.chat, LATELY)):
        if account != repair.account:
            asked = (repair.chat, account, repair.begins)
            svrid, heard_at = ask.first(connection, _LAST_BEFORE, asked) or ("", 0)
            row = (account, repair.chat, svrid, repair.begins, repair.ends, heard_at)
            connection.execute(_REPAIR, row)


def begin_repair(connection: apsw.Connection, gap: Gap, chats: list[tuple[Repair, int]]) -> None:
    """List the chats that are to be fetched because of a gap; one that is listed already keeps its begin."""
    rows = [
        (each.account, each.chat, each.after, each.begins, each.ends, heard_at) for each, heard_at in chats
    ]
    connection.executemany(_REPAIR, rows)
    connection.execute("UPDATE gaps SET open = 0 WHERE id = ?", (gap.id,))


def repairs(connection: apsw.Connection, limit: int) -> list[Repair]:
    """The chats to fetch next: where somebody spoke last first."""
    return [Repair(*row) for row in ask.every(connection, _NEXT, (limit,))]


def postpone(connection: apsw.Connection, repair: Repair) -> None:
    """Let every other chat go first."""
    connection.execute(
        "UPDATE repairs SET heard_at = (SELECT min(heard_at, 0) - 1 FROM repairs ORDER BY heard_at LIMIT 1)"
        " WHERE account = ? AND chat = ?",
        (repair.account, repair.chat),
    )


def repaired_until(connection: apsw.Connection, repair: Repair, after: str) -> None:
    """Go on behind this message the next time, whatever else there is to do first."""
    connection.execute(
        "UPDATE repairs SET after = ? WHERE account = ? AND chat = ?", (after, repair.account, repair.chat)
    )


def repaired(connection: apsw.Connection, repair: Repair) -> int:
    """A chat has been fetched; how many are left. One that a later gap needs too stays listed."""
    connection.execute(
        "DELETE FROM repairs WHERE account = ? AND chat = ? AND ends = ?",
        (repair.account, repair.chat, repair.ends),
    )
    return int(ask.value(connection, "SELECT count(*) FROM repairs"))
