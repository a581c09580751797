"""Remembers events by their ids in a database that lies in memory while it is small, and then in a temporary file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import blake2b

from reconciler.errors import XgrantError

_MEMORY = 32 * 1024
"""KiB of the database that are kept in memory."""


@contextmanager
def remembering() -> Iterator[RememberedOnDisk]:
    """Yield a memory that is empty, and is gone at the end of the block."""
    # Without a name it is private, and SQLite deletes its file when it is closed, or when the process ends.
    with closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as database:
        for statement in (
            f"PRAGMA cache_size = -{_MEMORY}",
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            "CREATE TABLE event (id BLOB PRIMARY KEY, mfa INTEGER) WITHOUT ROWID",
            "BEGIN",
        ):
            database.execute(statement)
        yield RememberedOnDisk(database)


class RememberedOnDisk:
    """See `audit.Remembered`: sixteen bytes and one bit of each event, whatever its ids look like."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def note(self, event: str, *, mfa: bool) -> bool | None:
        """Remember an event; return what its first copy said of MFA, None where there was none."""
        key = blake2b(event.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        try:
            known = self._database.execute("SELECT mfa FROM event WHERE id = ?", (key,)).fetchone()
            if known is None:
                self._database.execute("INSERT INTO event VALUES (?, ?)", (key, mfa))
                return None
            if mfa and not known[0]:
                self._database.execute("UPDATE event SET mfa = 1 WHERE id = ?", (key,))
        except sqlite3.Error as error:
            raise XgrantError(
                f"the events that were counted cannot be remembered: {error}; make room where temporary files lie "
                "(SQLITE_TMPDIR, TMPDIR)"
            ) from error
        return bool(known[0])
