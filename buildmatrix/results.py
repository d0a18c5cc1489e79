"""All measurements ever taken, in one SQLite file: append-only, every raw sample, no half run."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Self

from buildmatrix.errors import InputError
from buildmatrix.model import Measurement, Status

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

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
)
JSON_COLUMNS = ("samples_ns", "environment")
COLUMNS = (
    "run", "cell", "device", "emulated", "model", "batch", "threads", "passes", "status",
    "samples_ns", "first_pass_ns", "instructions", "peak_rss_kib", "max_rel_error", "void_reason",
    "bundle", "series", "taken_at", "environment",
)  # fmt: skip
NAMES = ", ".join(COLUMNS)
INSERT = (
    f"INSERT INTO measurement ({NAMES}) VALUES ({', '.join(f':{name}' for name in COLUMNS)}) "
    "ON CONFLICT (run, cell, batch) DO NOTHING"
)
# The last row inserted, not the last date: a Raspberry Pi has no clock that survives a power cut.
LATEST = f"""
    SELECT {NAMES} FROM measurement WHERE id IN (
        SELECT max(id) FROM measurement
        WHERE (:model IS NULL OR model = :model) AND (:device IS NULL OR device = :device)
        GROUP BY model, device, emulated, cell, batch, threads)
    ORDER BY id
"""


class Results:
    """The results file, as a context manager. Many may read and one write at a time."""

    def __init__(self, path: Path) -> None:
        """Open or create; an older file is upgraded. Raises InputError for a newer one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = _opened(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def insert(self, measurements: Iterable[Measurement]) -> int:
        """Add rows, all or none; the number that were new. A row is known by run, cell, batch."""
        rows = [_row(measurement) for measurement in measurements]
        with self._db:  # one transaction
            self._db.execute("BEGIN IMMEDIATE")
            return sum(self._db.execute(INSERT, row).rowcount for row in rows)

    def latest(
        self, model: str | None = None, device: str | None = None
    ) -> tuple[Measurement, ...]:
        """The newest row for each model, device, cell, batch size and number of threads."""
        return tuple(
            _measurement(row)
            for row in self._db.execute(LATEST, {"model": model, "device": device})
        )

    def run(self, run: str) -> tuple[Measurement, ...]:
        """The rows of one run, in the order they were inserted."""
        query = f"SELECT {NAMES} FROM measurement WHERE run = ? ORDER BY id"
        return tuple(_measurement(row) for row in self._db.execute(query, (run,)))

    def all(self) -> tuple[Measurement, ...]:
        """Every row, oldest first."""
        query = f"SELECT {NAMES} FROM measurement ORDER BY id"
        return tuple(_measurement(row) for row in self._db.execute(query))


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=30.0, isolation_level=None)
    db.row_factory = sqlite3.Row
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # a stored run is then forgotten on the board
        _upgrade(db, path)
    except sqlite3.DatabaseError as error:
        db.close()
        raise InputError(
            f"cannot be used as a results file: {error}",
            where=str(path),
            hint="name another file, or see that this one is writable and in nobody's hands",
        ) from error
    except BaseException:
        db.close()
        raise
    return db


def _upgrade(db: sqlite3.Connection, path: Path) -> None:
    """Bring the file to this version, in one transaction: another process may do the same."""
    version = _version(db)
    if version > len(UPGRADES):
        raise InputError(
            f"written by a newer buildmatrix (format {version}, this one knows {len(UPGRADES)})",
            where=str(path),
            hint="upgrade buildmatrix, or name another results file",
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


def _row(measurement: Measurement) -> dict[str, Any]:
    row = {name: getattr(measurement, name) for name in COLUMNS}
    for name in JSON_COLUMNS:
        row[name] = json.dumps(row[name], allow_nan=False)
    return row | {"emulated": int(measurement.emulated), "status": measurement.status.value}


def _measurement(row: sqlite3.Row) -> Measurement:
    fields: dict[str, Any] = dict(row)
    for name in JSON_COLUMNS:
        fields[name] = json.loads(fields[name])
    fields["samples_ns"] = tuple(fields["samples_ns"])
    fields["emulated"] = bool(fields["emulated"])
    return Measurement(**fields | {"status": Status(fields["status"])})
