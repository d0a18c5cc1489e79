"""How the results file is laid out, and how one of an older version becomes one of today's."""

from __future__ import annotations

import contextlib
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from buildmatrix.errors import InputError
from buildmatrix.results.holders import holders
from buildmatrix.results.rows import COLUMNS, RUN_COLUMNS, checksum, checksum_in_sql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 30.0  # seconds that another writer may take
TRIGGERS = {
    f"{table}_no_{verb}": f"BEFORE {verb} ON {table}"
    for table in ("measurement", "run")
    for verb in ("update", "delete")
}
APPEND_ONLY = tuple(
    f"""CREATE TRIGGER {name} {when}
        BEGIN SELECT RAISE(ABORT, 'measurements are append-only'); END"""
    for name, when in TRIGGERS.items()
)
# What makes version n + 1 of version n. Never edit one: append another.
UPGRADES: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE measurement (
            id INTEGER PRIMARY KEY,
            run TEXT NOT NULL,
            cell TEXT NOT NULL,
            device TEXT NOT NULL,
            emulated INTEGER NOT NULL CHECK (emulated IN (0, 1)),
            model TEXT NOT NULL,
            batch INTEGER NOT NULL CHECK (batch > 0),
            threads INTEGER NOT NULL,
            passes INTEGER NOT NULL,
            status TEXT NOT NULL,
            samples_ns TEXT NOT NULL,
            first_pass_ns INTEGER,
            instructions INTEGER,
            peak_rss_kib INTEGER,
            max_rel_error REAL,
            void_reason TEXT NOT NULL,
            bundle TEXT NOT NULL,
            series TEXT NOT NULL,
            taken_at TEXT NOT NULL,
            environment TEXT NOT NULL,
            UNIQUE (run, cell, batch)
        ) STRICT""",
        "CREATE INDEX measurement_series ON measurement (series, id)",
        """CREATE TRIGGER no_update BEFORE UPDATE ON measurement
            BEGIN SELECT RAISE(ABORT, 'measurements are append-only'); END""",
        """CREATE TRIGGER no_delete BEFORE DELETE ON measurement
            BEGIN SELECT RAISE(ABORT, 'measurements are append-only'); END""",
    ),
    (  # rounds: a cell has many blocks at one batch size; the run itself is kept
        "DROP TRIGGER no_update",
        "DROP TRIGGER no_delete",
        "DROP INDEX measurement_series",
        "ALTER TABLE measurement RENAME TO measurement_1",
        """CREATE TABLE measurement (
            id INTEGER PRIMARY KEY,
            run TEXT NOT NULL,
            block INTEGER NOT NULL,
            round INTEGER NOT NULL,
            sentinel INTEGER NOT NULL CHECK (sentinel IN (0, 1)),
            cell TEXT NOT NULL,
            device TEXT NOT NULL,
            emulated INTEGER NOT NULL CHECK (emulated IN (0, 1)),
            model TEXT NOT NULL,
            batch INTEGER NOT NULL CHECK (batch > 0),
            threads INTEGER NOT NULL,
            passes INTEGER NOT NULL,
            status TEXT NOT NULL,
            samples_ns TEXT NOT NULL,
            first_pass_ns INTEGER,
            instructions INTEGER,
            peak_rss_kib INTEGER,
            max_rel_error REAL,
            void_reason TEXT NOT NULL,
            bundle TEXT NOT NULL,
            series TEXT NOT NULL,
            taken_at TEXT NOT NULL,
            environment TEXT NOT NULL,
            UNIQUE (run, block)
        ) STRICT""",
        """INSERT INTO measurement
            SELECT id, run, coalesce(json_extract(environment, '$.block'), id), 0, 0, cell, device,
                emulated, model, batch, threads, passes, status, samples_ns, first_pass_ns,
                instructions, peak_rss_kib, max_rel_error, void_reason, bundle, series, taken_at,
                environment
            FROM measurement_1 ORDER BY id""",
        "DROP TABLE measurement_1",
        "CREATE INDEX measurement_series ON measurement (series, id)",
        """CREATE TABLE run (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            device TEXT NOT NULL,
            emulated INTEGER NOT NULL CHECK (emulated IN (0, 1)),
            request TEXT NOT NULL,
            journal TEXT NOT NULL,
            collected_at TEXT NOT NULL,
            label TEXT NOT NULL
        ) STRICT""",
        *APPEND_ONLY,
    ),
    (  # a row carries its checksum: a bit that flips on the disk is no other measurement
        *(f"DROP TRIGGER {name}" for name in TRIGGERS),
        "ALTER TABLE measurement ADD COLUMN checksum TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE run ADD COLUMN checksum TEXT NOT NULL DEFAULT ''",
        f"UPDATE measurement SET checksum = {checksum_in_sql(COLUMNS)}",
        f"UPDATE run SET checksum = {checksum_in_sql(RUN_COLUMNS)}",
        *APPEND_ONLY,
    ),
)


def opened(path: Path) -> sqlite3.Connection:
    """The file, made or brought to this version; where nothing can be written, as it is. Raises
    InputError for a newer or damaged one."""
    try:
        return _prepared(path, for_writing=True)
    except InputError as refused:
        code = getattr(refused.__cause__, "sqlite_errorcode", 0) & 0xFF
        if code not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) or not path.is_file():
            raise
    return _prepared(path, for_writing=False)


def _prepared(path: Path, *, for_writing: bool) -> sqlite3.Connection:
    with usable(path):
        db = connected(path) if for_writing else connected(_as_it_is(path), uri=True)
    try:
        with usable(path):
            if for_writing:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")  # a stored run is forgotten on the board
            _upgrade(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _as_it_is(path: Path) -> str:
    """The address of a file that nobody can write. SQLite reads one with a log (-wal) only when it
    may make files beside it, but for what is said to stay as it is; a log is not read then, so
    one with rows is left to SQLite to refuse."""
    log = path.with_name(f"{path.name}-wal")
    stays = not (log.is_file() and log.stat().st_size)
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if stays else ''}"


def connected(path: Path | str, *, uri: bool = False) -> sqlite3.Connection:
    """A connection that knows `checksum`, and reads text that a flipped bit made no UTF-8."""
    db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, uri=uri)
    db.row_factory = sqlite3.Row
    db.text_factory = lambda text: text.decode(errors="replace")
    db.create_function("checksum", -1, checksum, deterministic=True)
    return db


def sound(db: sqlite3.Connection) -> bool:
    """Whether every page can be read and every row is in every index: 1.3 ms of CPU a MiB."""
    try:
        with closing(db.execute("PRAGMA integrity_check(1)")) as cursor:
            return bool(cursor.fetchone()[0] == "ok")
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        return False


@contextlib.contextmanager
def usable(path: Path) -> Iterator[None]:
    """What SQLite raises becomes ours."""
    try:
        yield
    except sqlite3.IntegrityError:  # a fault of ours, not of the file
        raise
    # A damaged file's own names stand in SQLite's message: they may be no UTF-8.
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            text = f"is in the hands of {holders(path)} for {PATIENCE:.0f} s and more"
            hint = "run it again when that has ended"
            raise InputError(text, where=str(path), hint=hint) from error
        text = f"cannot be used as a results file: {error}"
        hint = "name another file, or see that this one is writable, and that the disk has room"
        if _is_damage(error):
            text += "; it is damaged, or another program's"
            hint = "put a copy of it in its place; "
            hint += f"`sqlite3 {path} .recover` reads what is left of it"
        raise InputError(text, where=str(path), hint=hint) from error


def _is_damage(error: Exception) -> bool:
    """Whether it is what the file holds: its pages, or tables and columns (the error without a
    cause of its own) that are not as we make them."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def _upgrade(db: sqlite3.Connection, path: Path) -> None:
    """Bring the file to this version, in one transaction: another process may do the same."""
    version = _version(db)
    if version > len(UPGRADES):
        raise InputError(
            f"written by a newer buildmatrix (format {version}, this one knows {len(UPGRADES)})",
            where=str(path),
            hint="upgrade buildmatrix, or name another results file; where no newer one wrote it, "
            "it is damaged: put a copy of it in its place",
        )
    if version == len(UPGRADES):
        return
    db.execute("BEGIN IMMEDIATE")
    for upgrade in UPGRADES[_version(db) :]:
        for statement in upgrade:
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {len(UPGRADES)}")
    db.execute("COMMIT")


def _version(db: sqlite3.Connection) -> int:
    with closing(db.execute("PRAGMA user_version")) as cursor:
        return int(cursor.fetchone()[0])
