"""Whom our accounts have met: ids that came with a message, a name or a delivery that was taken."""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from relay.store.sqlite import ask

LATELY = 2000  # of the newest messages: who spoke in them may have no name yet
TRIED = 100  # of the newest deliveries to one chat
MOST_KNOWN = 10_000  # rooms, and names, among which the nearest is looked for

_ACCOUNT = """
SELECT EXISTS (SELECT 1 FROM accounts WHERE wxid = ?1 AND source <> 'configured')
    OR EXISTS (SELECT 1 FROM seen WHERE account = ?1)
    OR EXISTS (SELECT 1 FROM accounts JOIN names USING (wxid) WHERE wxid = ?1)
"""
_ANYBODY = """
SELECT EXISTS (SELECT 1 FROM rooms WHERE chat = ?1)
    OR EXISTS (SELECT 1 FROM names WHERE wxid = ?1 AND name <> '')
    OR EXISTS (SELECT 1 FROM messages WHERE chat = ?1)
    OR EXISTS (SELECT 1 FROM (SELECT state FROM deliveries WHERE target = ?1 ORDER BY id DESC LIMIT ?2)
               WHERE state IN ('accepted', 'delivered'))
"""
_SPOKE = "SELECT DISTINCT sender FROM (SELECT sender FROM messages ORDER BY id DESC LIMIT ?)"
_KNOWN = """
SELECT chat, coalesce((SELECT name FROM names WHERE wxid = chat), '')
  FROM (SELECT chat FROM rooms ORDER BY chat LIMIT ?1)
UNION SELECT wxid, name FROM (SELECT wxid, name FROM names WHERE name <> '' ORDER BY wxid LIMIT ?1)
UNION SELECT wxid, '' FROM accounts WHERE source <> 'configured' AND wxid NOT IN (SELECT wxid FROM names)
"""


def unmet(
    connection: apsw.Connection, anybody: Iterable[str], accounts: Iterable[str]
) -> tuple[set[str], set[str]]:
    """Of these ids those that nobody of ours has met, and of these accounts those that are none of ours.

    Nobody at all where nothing was ever heard.
    """
    if not ask.value(connection, "SELECT EXISTS (SELECT 1 FROM seen)"):
        return set(), set()
    strangers = {each for each in accounts if not ask.value(connection, _ACCOUNT, (each,))}
    others = {each for each in anybody if not ask.value(connection, _ANYBODY, (each, TRIED))}
    others = {each for each in others if not ask.value(connection, _ACCOUNT, (each,))}
    spoke = {row[0] for row in ask.every(connection, _SPOKE, (LATELY,))} if others else set[str]()
    return others - spoke, strangers


def known(connection: apsw.Connection) -> dict[str, str]:
    """Ids that are known, with their names, "" for none."""
    return {row[0]: row[1] for row in ask.every(connection, _KNOWN, (MOST_KNOWN,))}
