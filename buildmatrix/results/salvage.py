"""A results file that SQLite cannot read to its end: what is whole in it, in a new file."""

from __future__ import annotations

import os
import sqlite3
import time
from typing import TYPE_CHECKING

from buildmatrix.results.layout import connected, opened
from buildmatrix.results.rows import COLUMNS, RUN_COLUMNS, checksum_in_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

TABLES = (("run", "number", RUN_COLUMNS), ("measurement", "id", COLUMNS))


def may_help(error: sqlite3.DatabaseError) -> bool:
    """Whether pages of the file contradict each other, so that rows beside them may be whole."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF == sqlite3.SQLITE_CORRUPT


def salvaged(path: Path) -> str:
    """Put the rows that are whole into a new file in the place of the damaged one, which stays
    beside it under a name of its own; one sentence on what was done.

    Raises sqlite3.DatabaseError when not even the tables' names can be read.
    """
    beside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    anew = path.with_name(f"{path.name}.salvaged")
    anew.unlink(missing_ok=True)
    damaged, fresh = connected(path), opened(anew)
    try:
        damaged.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        counts = [_copied(damaged, fresh, *table) for table in TABLES]
        fresh.execute("PRAGMA journal_mode = DELETE")  # all of it in the one file
    finally:
        damaged.close()
        fresh.close()
    beside.unlink(missing_ok=True)
    os.link(path, beside)
    for log in ("-wal", "-shm"):  # of the damaged file: its log is in it
        path.with_name(path.name + log).unlink(missing_ok=True)
    anew.replace(path)
    return (
        f"{path} was damaged on the disk: {counts[1]} blocks of {counts[0]} runs are whole and "
        f"kept; what it was is {beside.name}"
    )


def _copied(
    damaged: sqlite3.Connection,
    fresh: sqlite3.Connection,
    table: str,
    number: str,
    columns: Sequence[str],
) -> int:
    """Copy the rows of a table that are whole; how many they are."""
    names = (number, *columns, "checksum")
    insert = (
        f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({','.join('?' * len(names))})"
    )
    whole = f"{checksum_in_sql(columns)} = checksum AS whole"
    query = f"SELECT {', '.join(names)}, {whole} FROM {table} NOT INDEXED"
    rows = {row[number]: row for row in _readable(damaged, query, number) if row["whole"]}
    fresh.execute("BEGIN")
    for _, row in sorted(rows.items()):
        fresh.execute(insert, tuple(row)[:-1])
    fresh.execute("COMMIT")
    return len(rows)


def _readable(db: sqlite3.Connection, query: str, number: str) -> Iterator[sqlite3.Row]:
    """All rows that can be reached: from both ends up to the damage, and one by one between."""
    reached = []
    for order in ("ASC", "DESC"):
        last = None
        for row in _until_damage(db, f"{query} ORDER BY {number} {order}"):
            yield row
            last = int(row[number])
        if last is None:
            return
        reached.append(last)
    for one in range(reached[0] + 1, reached[1]):
        yield from _until_damage(db, f"{query} WHERE {number} = {one}")


def _until_damage(db: sqlite3.Connection, query: str) -> Iterator[sqlite3.Row]:
    try:
        yield from db.execute(query)
    except sqlite3.DatabaseError:
        return
