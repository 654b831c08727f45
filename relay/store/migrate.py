"""Bring a database to the newest schema, one numbered file after the other."""

from __future__ import annotations

import secrets
from importlib import resources

import apsw

from relay.errors import StorageError
from relay.store import texts


def migrations() -> list[tuple[int, str]]:
    """Every migration that comes with this version: its number, and its SQL."""
    files = (file for file in resources.files("relay.store").joinpath("sql").iterdir())
    return sorted(
        (int(file.name[:4]), file.read_text("utf-8")) for file in files if file.name.endswith(".sql")
    )


def migrate(connection: apsw.Connection) -> int:
    """Run what is missing, all in one transaction, and return the schema's number.

    Raises `StorageError` when the database was written by a newer relay.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _migrate(connection)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return version


def _migrate(connection: apsw.Connection) -> int:
    known = migrations()
    version = int(str(connection.pragma("user_version")))
    newest = known[-1][0]
    _refuse_newer(version, newest)
    for number, sql in known:
        if number > version:
            connection.execute(sql)
            connection.pragma("user_version", number)
    # A random mark in every api_send_id tells our echoes from those of another
    # bot, or of a database that was thrown away, on the same accounts.
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('origin', ?)", (secrets.token_hex(4),))
    return newest


def refuse_other_schema(version: int) -> None:
    """Raise `StorageError` where a file can only be read by another version, or after a migration."""
    newest = migrations()[-1][0]
    _refuse_newer(version, newest)
    if version < newest:
        raise StorageError(texts.OLDER.filled(version=version, newest=newest), texts.OLDER_HINT)


def _refuse_newer(version: int, newest: int) -> None:
    if version > newest:
        raise StorageError(texts.NEWER.filled(version=version, newest=newest), texts.NEWER_HINT)
