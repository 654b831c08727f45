"""Remove what one person said, and what was made of it; ids stay, so that no repeated push is acted on.

What was sent within the last day stays as a shell without content, for its echo may yet come.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import apsw

from relay.errors import StorageError
from relay.store import texts
from relay.store.migrate import refuse_other_schema
from relay.store.sqlite import ask
from relay.store.sqlite.connection import BUSY_TIMEOUT
from relay.store.sqlite.guard import ECHO_POSSIBLE
from relay.store.sqlite.operating import NOTHING
from relay.wire.content import content_of, same_content

AT_ONCE = 20  # messages in one transaction: others want to write as well
CUT_TRIES, CUT_PAUSE = 100, 0.05  # until nobody reads from the log

Told = Callable[[float], None]

_SAID = "SELECT id FROM messages WHERE sender = ?1 OR chat = ?1 ORDER BY id"
# What plugins were called for because of what they said, of a delivery to them, of a question that they did
# not answer, or of an event that names them; and because of what came of that.
_FOLLOWING = """
WITH RECURSIVE theirs (id) AS (
  {seeds}
  UNION SELECT o.id FROM theirs JOIN deliveries d ON d.occasion = theirs.id
    JOIN occasions o ON o.kind = 'delivery' AND o.subject = d.id
)
"""
_BY_WORDS = _FOLLOWING.format(
    seeds="""
  SELECT o.id FROM deliveries d JOIN occasions o ON o.kind = 'delivery' AND o.subject = d.id
  WHERE d.message IN (SELECT value FROM json_each(?1))
"""
)
_BY_PERSON = _FOLLOWING.format(
    seeds="""
  SELECT id FROM occasions INDEXED BY occasions_sender WHERE sender = ?1 AND sender <> ''
  UNION SELECT id FROM occasions INDEXED BY occasions_chat WHERE chat = ?1 AND chat <> ''
  UNION SELECT o.id FROM deliveries d JOIN occasions o ON o.kind = 'delivery' AND o.subject = d.id
    WHERE d.target = ?1
  UNION SELECT o.id FROM occasions o INDEXED BY occasions_event JOIN events e ON e.id = o.subject
    WHERE o.kind = 'event' AND instr(e.raw, CAST(?1 AS BLOB))
"""
)
_OF_WORDS = f"""{_BY_WORDS}
SELECT id, state FROM deliveries WHERE message IN (SELECT value FROM json_each(?1))
UNION SELECT id, state FROM deliveries WHERE entry IN (SELECT value FROM json_each(?1))
UNION SELECT id, state FROM deliveries WHERE occasion IN (SELECT id FROM theirs)
"""
_OF_PERSON = f"""{_BY_PERSON}
SELECT id, state FROM deliveries WHERE target = ?1
UNION SELECT id, state FROM deliveries WHERE occasion IN (SELECT id FROM theirs)
"""
_CAME_BACK = """
SELECT m.id, m.raw, coalesce(d.body, source.raw), a.echo IS m.id
FROM deliveries d JOIN attempts a ON a.delivery = d.id
JOIN messages m INDEXED BY messages_chat ON m.chat = d.target AND m.id > coalesce(d.message, 0)
LEFT JOIN messages source ON source.id = d.entry
WHERE d.id IN (SELECT value FROM json_each(?1))
  AND (a.echo IS m.id OR (m.sender = a.account AND m.received_at BETWEEN d.created_at AND a.started_at + ?2))
"""
_DISCARD = """
UPDATE deliveries SET state = 'discarded', updated_at = ?2
WHERE id IN (SELECT value FROM json_each(?1)) AND state IN ('queued', 'held', 'failed', 'expired')
"""
_LONG_DONE = """
DELETE FROM deliveries WHERE id IN (SELECT value FROM json_each(?1))
  AND state IN ('delivered', 'discarded') AND updated_at < ?2
"""
_EMPTIED = f"""
UPDATE deliveries SET body = {NOTHING} WHERE id IN (SELECT value FROM json_each(?1)) AND body IS NOT NULL
"""
_UNEXPLAINED = "DELETE FROM traces WHERE message IN (SELECT value FROM json_each(?1))"
_NOT_HANDLED = """
UPDATE occasions SET state = 'skipped', reason = 'forgotten'
WHERE state = 'waiting' AND (sender = ?1 OR chat = ?1)
"""
_UNEXPLAINED_CALLS = "{theirs} DELETE FROM occasion_traces WHERE occasion IN (SELECT id FROM theirs)"
_NAMELESS = """
UPDATE occasions SET sender = '', chat = iif(chat = ?1, '', chat)
WHERE (sender = ?1 AND sender <> '') OR (chat = ?1 AND chat <> '')
"""
_GONE = """
DELETE FROM messages WHERE id IN (SELECT value FROM json_each(?1)) AND signal = 0
  AND NOT EXISTS (SELECT 1 FROM deliveries WHERE message = messages.id)
  AND NOT EXISTS (SELECT 1 FROM deliveries WHERE entry = messages.id)
"""
_SHELL = f"""
UPDATE messages SET raw = {NOTHING}, sender = '', chat = iif(chat = ?2, '', chat), signal = 0,
  reason = iif(state = 'waiting', 'forgotten', reason), state = iif(state = 'waiting', 'skipped', state)
WHERE id IN (SELECT value FROM json_each(?1))
"""


class Forgetting:
    """What is known of one person, and its removal; with a connection that overwrites what it removes."""

    def __init__(self, path: Path, wxid: str) -> None:
        """Raises `StorageError` where the database is of another version's schema."""
        self.path = path
        self.wxid = wxid
        self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        self._connection.set_busy_timeout(BUSY_TIMEOUT)
        self._connection.pragma("foreign_keys", True)
        self._connection.pragma("secure_delete", True)
        refuse_other_schema(int(str(self._connection.pragma("user_version"))))
        self._emptied: set[int] = set()
        self.messages = [row[0] for row in ask.every(self._connection, _SAID, (wxid,))]

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def is_ours(self) -> bool:
        """Whether this is no person, but an account of the bot's."""
        return bool(ask.every(self._connection, "SELECT 1 FROM accounts WHERE wxid = ?", (self.wxid,)))

    def deliveries(self) -> Counter[str]:
        """How many deliveries of what they said, or to them, stand in each state."""
        words = ask.every(self._connection, _OF_WORDS, (json.dumps(self.messages),))
        return Counter(
            {**dict(words), **dict(ask.every(self._connection, _OF_PERSON, (self.wxid,)))}.values()
        )

    def forget(self, now: int, told: Told) -> Counter[str]:
        """Remove it, a part at a time; how much of what. Raises `StorageError`."""
        done: Counter[str] = Counter()
        parts = [self.messages[at : at + AT_ONCE] for at in range(0, len(self.messages), AT_ONCE)] or [[]]
        try:
            with self._transaction():
                done.update(self._forget_calls(now))
            for number, part in enumerate(parts, 1):
                with self._transaction():
                    done.update(self._forget(part, now))
                told(number / len(parts))
            with self._transaction():
                done.update(self._forget_names())
        except apsw.Error as exc:
            raise StorageError(
                texts.NOT_READ.filled(name=self.path.name, reason=exc), texts.NOT_READ_HINT
            ) from exc
        return done

    def cut_log(self) -> bool:
        """Whether nothing is left of it in the log either: that takes a moment in which nobody reads."""
        for _ in range(CUT_TRIES):
            ask.every(self._connection, "PRAGMA wal_checkpoint(PASSIVE)")
            self._connection.set_busy_timeout(0)
            if not ask.value(self._connection, "PRAGMA wal_checkpoint(TRUNCATE)"):
                return True
            time.sleep(CUT_PAUSE)
        return False

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _forget(self, messages: Sequence[int], now: int) -> Counter[str]:
        words = json.dumps(list(messages))
        found = ask.every(self._connection, _OF_WORDS, (words,))
        self._connection.execute(_UNEXPLAINED_CALLS.format(theirs=_BY_WORDS), (words,))
        return self._empty(found, messages, now)

    def _forget_calls(self, now: int) -> Counter[str]:
        """What was sent to them, and what plugins were called for because of them."""
        found = ask.every(self._connection, _OF_PERSON, (self.wxid,))
        self._connection.execute(_UNEXPLAINED_CALLS.format(theirs=_BY_PERSON), (self.wxid,))
        return self._empty(found, (), now)

    def _empty(
        self, deliveries: Sequence[tuple[int, str]], messages: Sequence[int], now: int
    ) -> Counter[str]:
        """Drop what is still to be sent of it, and leave nothing in what has to stay."""
        database = self._connection
        numbers = json.dumps([number for number, _ in deliveries])
        asked = json.dumps([*messages, *self._echoes(numbers)])
        database.execute(_DISCARD, (numbers, now))
        discarded = database.changes()
        database.execute(_LONG_DONE, (numbers, now - ECHO_POSSIBLE))
        database.execute(_EMPTIED, (numbers,))
        database.execute(_UNEXPLAINED, (asked,))
        database.execute(_GONE, (asked,))
        database.execute(_SHELL, (asked, self.wxid))
        new = {number for number, _ in deliveries} - self._emptied
        self._emptied |= new
        return Counter(messages=len(messages), deliveries=len(new), discarded=discarded)

    def _echoes(self, deliveries: str) -> set[int]:
        """Our own messages in which it came back, by number or by its content."""
        rows = ask.every(self._connection, _CAME_BACK, (deliveries, ECHO_POSSIBLE))
        return {
            number
            for number, raw, sent, named in rows
            if named or (sent and raw and same_content(content_of(sent), content_of(raw)))
        }

    def _forget_names(self) -> Counter[str]:
        database = self._connection
        database.execute("DELETE FROM names WHERE wxid = ?", (self.wxid,))
        names = database.changes()
        database.execute("DELETE FROM repairs WHERE chat = ?", (self.wxid,))  # or it is all fetched again
        database.execute("DELETE FROM conversations WHERE sender = ?1 OR chat = ?1", (self.wxid,))
        conversations = database.changes()
        database.execute(_NOT_HANDLED, (self.wxid,))
        database.execute(_NAMELESS, (self.wxid,))
        found = ask.every(database, "SELECT plugin, key FROM plugin_state WHERE instr(key, ?)", (self.wxid,))
        whole = re.compile(rf"(?<!\w){re.escape(self.wxid)}(?!\w)")
        keyed = [(plugin, key) for plugin, key in found if whole.search(key)]
        database.executemany("DELETE FROM plugin_state WHERE plugin = ? AND key = ?", keyed)
        database.execute(
            f"UPDATE events SET raw = {NOTHING} WHERE signal = 0 AND instr(raw, CAST(? AS BLOB))",
            (self.wxid,),
        )
        return Counter(names=names, plugin_state=len(keyed), conversations=conversations)
