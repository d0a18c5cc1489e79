"""All measurements ever taken, in one SQLite file: append-only, every raw sample, no half run."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Self

from buildmatrix.errors import InputError
from buildmatrix.nouns import Measurement, Run, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

APPEND_ONLY = tuple(
    f"""CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
        BEGIN SELECT RAISE(ABORT, 'measurements are append-only'); END"""
    for table in ("measurement", "run")
    for verb in ("update", "delete")
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
)
JSON_COLUMNS = ("samples_ns", "environment")
COLUMNS = (
    "run",
    "block",
    "round",
    "sentinel",
    "cell",
    "device",
    "emulated",
    "model",
    "batch",
    "threads",
    "passes",
    "status",
    "samples_ns",
    "first_pass_ns",
    "instructions",
    "peak_rss_kib",
    "max_rel_error",
    "void_reason",
    "bundle",
    "series",
    "taken_at",
    "environment",
)
NAMES = ", ".join(COLUMNS)
INSERT = (
    f"INSERT INTO measurement ({NAMES}) VALUES ({', '.join(f':{name}' for name in COLUMNS)}) "
    "ON CONFLICT (run, block) DO NOTHING"
)
RUN_COLUMNS = ("id", "device", "emulated", "request", "journal", "collected_at", "label")
RUN_NAMES = ", ".join(RUN_COLUMNS)
INSERT_RUN = (
    f"INSERT INTO run ({RUN_NAMES}) VALUES ({', '.join(f':{name}' for name in RUN_COLUMNS)}) "
    "ON CONFLICT (id) DO NOTHING"
)
# Conditions that a block's environment did not hold from the start: their names in a request.
FROM_REQUEST = {"model_version": "model_version", "harness": "version"}
# The run of the last row inserted, not of the last date: a Raspberry Pi has no clock that survives
# a power cut.
LATEST = f"""
    WITH newest AS (
        SELECT model, device, emulated, cell, batch, threads, max(id) AS last FROM measurement
        WHERE NOT sentinel
        AND (:model IS NULL OR model = :model) AND (:device IS NULL OR device = :device)
        GROUP BY model, device, emulated, cell, batch, threads)
    SELECT {", ".join(f"m.{name}" for name in COLUMNS)} FROM newest AS n
    JOIN measurement AS l ON l.id = n.last
    JOIN measurement AS m ON m.run = l.run AND m.cell = l.cell AND m.batch = l.batch
        AND m.threads = l.threads AND NOT m.sentinel
    ORDER BY n.last, m.id
"""
# Blocks of all runs of a label, in which one block a row holds the environment that all of the row
# share: the first that is right, else the first. It is nine tenths of what a block takes to read.
THIN = f"""
    WITH placed AS (
        SELECT m.id, row_number() OVER (
            PARTITION BY m.run, m.cell, m.batch, m.threads, m.sentinel
            ORDER BY m.status <> 'ok', m.id) AS place
        FROM measurement AS m JOIN run AS r ON r.id = m.run
        WHERE (:label IS NULL OR r.label = :label))
    SELECT {", ".join(f"m.{name}" for name in COLUMNS if name != "environment")},
        CASE WHEN p.place = 1 THEN m.environment ELSE '{{}}' END AS environment
    FROM placed AS p JOIN measurement AS m ON m.id = p.id
    ORDER BY m.id
"""


class Results:
    """The results file, as a context manager. Many may read and one write at a time."""

    def __init__(self, path: Path) -> None:
        """Open or create; an older file is upgraded. Raises InputError for a newer one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._db = _opened(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def insert(self, measurements: Iterable[Measurement], run: Run | None = None) -> int:
        """Add blocks, and the run they belong to, all or none; the number of blocks that were new.

        A block is known by its run and its place there. Raises InputError for a full disk, and a
        file that is damaged or was in somebody's hands for 30 s.
        """
        rows = [_row(measurement) for measurement in measurements]
        with _usable(self._path), self._db:  # one transaction
            self._db.execute("BEGIN IMMEDIATE")
            if run is not None:
                self._db.execute(INSERT_RUN, _run_row(run))
            return sum(self._db.execute(INSERT, row).rowcount for row in rows)

    def latest(
        self, model: str | None = None, device: str | None = None
    ) -> tuple[Measurement, ...]:
        """All blocks of the newest run for each model, device, cell, batch size and thread count.

        Sentinels are left out.
        """
        return self._measurements(LATEST, {"model": model, "device": device})

    def blocks(self, run: str) -> tuple[Measurement, ...]:
        """The blocks of one run, sentinels included, in the order they were inserted."""
        query = f"SELECT {NAMES} FROM measurement WHERE run = :run ORDER BY id"
        return self._measurements(query, {"run": run})

    def of_label(self, label: str | None) -> tuple[Measurement, ...]:
        """All blocks of the runs of a label, or of every run, sentinels included, oldest first.

        One block of each row holds its environment, the first that is right; the others hold none.
        """
        return self._measurements(THIN, {"label": label})

    def runs(self, device: str | None = None, label: str | None = None) -> tuple[Run, ...]:
        """The runs kept, newest first."""
        query = (
            f"SELECT {RUN_NAMES} FROM run WHERE (:device IS NULL OR device = :device) "
            "AND (:label IS NULL OR label = :label) ORDER BY number DESC"
        )
        values = {"device": device, "label": label}
        with _usable(self._path):
            return tuple(_run(row) for row in self._db.execute(query, values))

    def behind(
        self, blocks: Iterable[Measurement]
    ) -> tuple[tuple[Run, ...], tuple[Measurement, ...]]:
        """The runs that blocks belong to, newest first, and all sentinels of those runs."""
        names = {"runs": json.dumps(sorted({block.run for block in blocks}))}
        among = "IN (SELECT value FROM json_each(:runs))"
        query = f"SELECT {RUN_NAMES} FROM run WHERE id {among} ORDER BY number DESC"
        with _usable(self._path):
            runs = tuple(_run(row) for row in self._db.execute(query, names))
        sentinels = f"SELECT {NAMES} FROM measurement WHERE sentinel AND run {among} ORDER BY id"
        return runs, self._measurements(sentinels, names)

    def run(self, name: str) -> Run:
        """The one run whose id begins with `name`. Raises InputError for none or several."""
        found = [run for run in self.runs() if run.id.startswith(name)]
        if len(found) != 1:
            known = [run.id for run in (found or self.runs())[:5]]
            raise InputError(
                f"{len(found) or 'no'} runs have an id that begins with '{name}'",
                hint=f"newest: {', '.join(known)}" if known else "store one: `inv bench --collect`",
            )
        return found[0]

    def all(self) -> tuple[Measurement, ...]:
        """Every block, oldest first."""
        return self._measurements(f"SELECT {NAMES} FROM measurement ORDER BY id", {})

    def _measurements(self, query: str, values: dict[str, Any]) -> tuple[Measurement, ...]:
        with _usable(self._path):
            rows = self._db.execute(query, values).fetchall()
            asked = {run: self._asked(run) for run in {row["run"] for row in rows}}
        return tuple(_measurement(row, asked[row["run"]]) for row in rows)

    def _asked(self, run: str) -> dict[str, object]:
        """What a run's request says of its blocks' conditions; older blocks do not hold it."""
        found = self._db.execute("SELECT request FROM run WHERE id = ?", (run,)).fetchone()
        request = json.loads(found["request"]) if found else {}
        return {name: request[asked] for name, asked in FROM_REQUEST.items() if request.get(asked)}


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=30.0, isolation_level=None)
    db.row_factory = sqlite3.Row
    try:
        with _usable(path):
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")  # a stored run is then forgotten on the board
            _upgrade(db, path)
    except BaseException:
        db.close()
        raise
    return db


@contextlib.contextmanager
def _usable(path: Path) -> Iterator[None]:
    """What SQLite raises becomes ours."""
    try:
        yield
    except sqlite3.IntegrityError:  # a fault of ours, not of the file
        raise
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"cannot be used as a results file: {error}",
            where=str(path),
            hint="name another file, or see that this one is writable and in nobody's hands, and "
            "that the disk has room",
        ) from error


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
    flags = {"emulated": int(measurement.emulated), "sentinel": int(measurement.sentinel)}
    return row | flags | {"status": measurement.status.value}


def _measurement(row: sqlite3.Row, asked: dict[str, object]) -> Measurement:
    fields: dict[str, Any] = dict(row)
    for name in JSON_COLUMNS:
        fields[name] = json.loads(fields[name])
    fields["samples_ns"] = tuple(fields["samples_ns"])
    fields["environment"] = {**asked, **fields["environment"]}
    flags = {name: bool(fields[name]) for name in ("emulated", "sentinel")}
    return Measurement(**fields | flags | {"status": Status(fields["status"])})


def _run_row(run: Run) -> dict[str, Any]:
    request = json.dumps(run.request, allow_nan=False)
    return {name: getattr(run, name) for name in RUN_COLUMNS} | {
        "request": request,
        "emulated": int(run.emulated),
    }


def _run(row: sqlite3.Row) -> Run:
    fields: dict[str, Any] = dict(row)
    request = json.loads(fields["request"])
    return Run(**fields | {"request": request, "emulated": bool(fields["emulated"])})
