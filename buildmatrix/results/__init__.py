"""All measurements ever taken, in one SQLite file: append-only, every raw sample, no half run.

A row that a flipped bit changed is left out, and a file that SQLite cannot read to its end is
written anew from the rows that are whole (`salvage`); both are told.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any, Self, TypeVar

from buildmatrix.errors import InputError
from buildmatrix.results import salvage
from buildmatrix.results.layout import opened, sound, usable
from buildmatrix.results.rows import (
    COLUMNS,
    FROM_REQUEST,
    RUN_COLUMNS,
    checksum_in_sql,
    measurement_of,
    row_of,
    row_of_run,
    run_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from buildmatrix.nouns import Measurement, Run

T = TypeVar("T")
CHECKED = 64 << 20  # bytes of a file that each reader checks; a larger one is checked by who writes
COLUMNS_OF_M = ", ".join(f"m.{name}" for name in COLUMNS)
IS_WHOLE = f"{checksum_in_sql(COLUMNS, 'm.')} = m.checksum"
WHOLE = f"{IS_WHOLE} AS whole"
# What a query leaves out by the very column that changed: 35 microseconds a block to find.
DAMAGED = (
    f"SELECT run, id FROM measurement AS m WHERE NOT {IS_WHOLE}",
    f"SELECT id, number FROM run WHERE NOT {checksum_in_sql(RUN_COLUMNS)} = checksum",
)
BLOCKS = f"SELECT {COLUMNS_OF_M}, {WHOLE} FROM measurement AS m"
RUNS = f"SELECT *, {checksum_in_sql(RUN_COLUMNS)} = checksum AS whole FROM run"
# The run of the last row inserted, not of the last date: a Raspberry Pi has no clock that survives
# a power cut.
LATEST = f"""
    WITH newest AS (
        SELECT model, device, emulated, cell, batch, threads, max(id) AS last FROM measurement
        WHERE NOT sentinel
        AND (:model IS NULL OR model = :model) AND (:device IS NULL OR device = :device)
        GROUP BY model, device, emulated, cell, batch, threads)
    SELECT {COLUMNS_OF_M}, {WHOLE} FROM newest AS n
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
    SELECT {", ".join(f"m.{name}" for name in COLUMNS if name != "environment")}, {WHOLE},
        CASE WHEN p.place = 1 THEN m.environment ELSE '{{}}' END AS environment
    FROM placed AS p JOIN measurement AS m ON m.id = p.id
    ORDER BY m.id
"""


def _insert(table: str, row: Mapping[str, Any], known_by: str) -> str:
    values = ", ".join(f":{name}" for name in row)
    return (
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values}) "
        f"ON CONFLICT ({known_by}) DO NOTHING"
    )


class Results:
    """The results file, as a context manager. Many may read and one write at a time."""

    def __init__(self, path: Path, on_damage: Callable[[str], None] = lambda _: None) -> None:
        """Open or create; an older file is upgraded. Raises InputError for a newer one.

        `on_damage` gets one sentence for what was not as it was written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._on_damage = on_damage
        self._damaged: set[tuple[object, ...]] = set()  # rows that were told of
        self._checked = False  # that tables and indexes agree
        self._told = False  # of every row in the file that is damaged
        self._db = opened(path)

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
        rows = [row_of(measurement) for measurement in measurements]
        with usable(self._path):
            self._check()
        with usable(self._path), self._db:  # one transaction
            self._db.execute("BEGIN IMMEDIATE")
            if run is not None:
                of_run = row_of_run(run)
                self._db.execute(_insert("run", of_run, "id"), of_run)
            block = _insert("measurement", rows[0], "run, block") if rows else ""
            return sum(self._db.execute(block, row).rowcount for row in rows)

    def latest(
        self, model: str | None = None, device: str | None = None
    ) -> tuple[Measurement, ...]:
        """All blocks of the newest run for each model, device, cell, batch size and thread count.

        Sentinels are left out.
        """
        return self._measurements(LATEST, {"model": model, "device": device})

    def blocks(self, run: str) -> tuple[Measurement, ...]:
        """The blocks of one run, sentinels included, in the order they were inserted."""
        return self._measurements(f"{BLOCKS} WHERE m.run = :run ORDER BY m.id", {"run": run})

    def of_label(self, label: str | None) -> tuple[Measurement, ...]:
        """All blocks of the runs of a label, or of every run, sentinels included, oldest first.

        One block of each row holds its environment, the first that is right; the others hold none.
        """
        return self._measurements(THIN, {"label": label})

    def runs(self, device: str | None = None, label: str | None = None) -> tuple[Run, ...]:
        """The runs kept, newest first."""
        query = (
            f"{RUNS} WHERE (:device IS NULL OR device = :device) "
            "AND (:label IS NULL OR label = :label) ORDER BY number DESC"
        )
        return self._read(self._rows(query, {"device": device, "label": label}), run_of)

    def behind(
        self, blocks: Iterable[Measurement]
    ) -> tuple[tuple[Run, ...], tuple[Measurement, ...]]:
        """The runs that blocks belong to, newest first, and all sentinels of those runs."""
        names = {"runs": json.dumps(sorted({block.run for block in blocks}))}
        among = "IN (SELECT value FROM json_each(:runs))"
        runs = self._rows(f"{RUNS} WHERE id {among} ORDER BY number DESC", names)
        sentinels = f"{BLOCKS} WHERE m.sentinel AND m.run {among} ORDER BY m.id"
        return self._read(runs, run_of), self._measurements(sentinels, names)

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
        return self._measurements(f"{BLOCKS} ORDER BY m.id", {})

    def _measurements(self, query: str, values: dict[str, Any]) -> tuple[Measurement, ...]:
        rows = self._rows(query, values)
        asked = self._asked({str(row["run"]) for row in rows})
        return self._read(rows, lambda row: measurement_of(row, asked.get(row["run"], {})))

    def _read(self, rows: Iterable[sqlite3.Row], what: Callable[[sqlite3.Row], T]) -> tuple[T, ...]:
        """What rows are that are as somebody wrote them; those that are nothing are told and left
        out: a file may be another's, with checksums of his own."""
        made = []
        for row in rows:
            try:
                made.append(what(row))
            except ValueError:
                self._tell([row])
        return tuple(made)

    def _asked(self, names: Iterable[str]) -> dict[str, dict[str, object]]:
        """What runs' requests say of their blocks' conditions; older blocks do not hold it."""
        values = {"runs": json.dumps(sorted(names))}
        query = f"{RUNS} WHERE id IN (SELECT value FROM json_each(:runs))"
        runs = self._read(self._rows(query, values), run_of)
        requests = {run.id: run.request for run in runs}
        return {
            name: {ours: one[theirs] for ours, theirs in FROM_REQUEST.items() if one.get(theirs)}
            for name, one in requests.items()
        }

    def _rows(self, query: str, values: Mapping[str, Any]) -> list[sqlite3.Row]:
        """The rows of a query that are as they were written; the others are told of, once each."""
        with usable(self._path):
            if self._path.stat().st_size <= CHECKED:
                self._check()
            try:
                rows = self._db.execute(query, values).fetchall()
            except sqlite3.DatabaseError as error:
                if not salvage.may_help(error):
                    raise
                self._heal()
                rows = self._db.execute(query, values).fetchall()
        if not self._told:
            self._tell([row for row in rows if not row["whole"]])
        return [row for row in rows if row["whole"]]

    def _check(self) -> None:
        """Once: what an index hides, a page does not hold any more, or a changed column keeps out
        of every query must not vanish unseen."""
        if self._checked:
            return
        self._checked = True
        if sound(self._db):
            self._tell([row for query in DAMAGED for row in self._db.execute(query)])
            self._told = True
            return
        try:
            self._heal()
        except (InputError, OSError) as error:  # of somebody else's, or on a full disk
            self._on_damage(
                f"{self._path} is damaged, rows of it may be missing, and no whole copy can be "
                f"written: {error}"
            )

    def _heal(self) -> None:
        """Put the rows that are whole into a new file, and tell of it."""
        self._db.close()
        try:
            self._on_damage(salvage.salvaged(self._path))
        finally:
            self._db = opened(self._path)

    def _tell(self, damaged: list[sqlite3.Row]) -> None:
        """Say which rows are left out, each once."""
        new = {tuple(row) for row in damaged} - self._damaged
        if new:
            self._damaged |= new
            runs = ", ".join(sorted({str(_run(row)) for row in damaged}))
            self._on_damage(
                f"{self._path}: {len(new)} rows were damaged on the disk and are left out; "
                f"they are of run {runs}"
            )


def _run(row: sqlite3.Row) -> object:
    """The id of the run that a row, of either table, is of."""
    return row["run" if "run" in row.keys() else "id"]  # noqa: SIM118 - its `in` looks at values
