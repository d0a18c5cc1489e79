"""Measurements and runs as rows of the results file, and back; each row is sealed by a checksum."""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

from buildmatrix.nouns import Measurement, Run, Status

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

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
RUN_COLUMNS = ("id", "device", "emulated", "request", "journal", "collected_at", "label")
# Conditions that a block's environment did not hold from the start: their names in a request.
FROM_REQUEST = {"model_version": "model_version", "harness": "version"}


def checksum(*values: object) -> str:
    """Of the values of a row as the file holds them, in the order of its columns; text may be given
    as bytes, so that text that a flipped bit made no UTF-8 has another checksum and is no error."""
    text = (v.decode(errors="replace") if isinstance(v, bytes) else v for v in values)
    return hashlib.sha256(json.dumps([*text]).encode()).hexdigest()


def checksum_in_sql(columns: Sequence[str], table: str = "") -> str:
    """SQL for the checksum of a row, out of what stands in its columns now. No column is a BLOB."""
    values = (
        f"CASE typeof({table}{name}) WHEN 'text' THEN CAST({table}{name} AS BLOB) "
        f"WHEN 'blob' THEN 'a blob' ELSE {table}{name} END"
        for name in columns
    )
    return f"checksum({', '.join(values)})"


def row_of(measurement: Measurement) -> dict[str, Any]:
    """A measurement as the file holds it, by column, with its checksum."""
    row = {name: getattr(measurement, name) for name in COLUMNS}
    for name in JSON_COLUMNS:
        row[name] = json.dumps(row[name], allow_nan=False)
    error = measurement.max_rel_error
    # As SQLite gives it back: a real number is a float, and one that is none is NULL.
    row["max_rel_error"] = None if error is None or math.isnan(error) else float(error)
    flags = {"emulated": int(measurement.emulated), "sentinel": int(measurement.sentinel)}
    row |= flags | {"status": measurement.status.value}
    return {**row, "checksum": checksum(*row.values())}


def measurement_of(row: sqlite3.Row, asked: Mapping[str, object]) -> Measurement:
    """A row that is whole as a measurement; `asked` is what its run's request says of conditions
    that its own environment does not hold. Raises ValueError for one that is none."""
    fields: dict[str, Any] = {name: row[name] for name in COLUMNS}
    for name in JSON_COLUMNS:
        fields[name] = json.loads(fields[name])
    fields["samples_ns"] = _whole_numbers(fields["samples_ns"])
    fields["environment"] = {**asked, **_object(fields["environment"])}
    flags = {name: bool(fields[name]) for name in ("emulated", "sentinel")}
    return Measurement(**fields | flags | {"status": Status(fields["status"])})


def row_of_run(run: Run) -> dict[str, Any]:
    """A run as the file holds it, by column, with its checksum."""
    row = {name: getattr(run, name) for name in RUN_COLUMNS} | {
        "request": json.dumps(run.request, allow_nan=False),
        "emulated": int(run.emulated),
    }
    return {**row, "checksum": checksum(*row.values())}


def run_of(row: sqlite3.Row) -> Run:
    """A row that is whole as a run. Raises ValueError for one that is none."""
    fields: dict[str, Any] = {name: row[name] for name in RUN_COLUMNS}
    request = _object(json.loads(fields["request"]))
    return Run(**fields | {"request": request, "emulated": bool(fields["emulated"])})


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("no object where one belongs")
    return value


def _whole_numbers(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or any(type(one) is not int for one in value):
        raise ValueError("no list of whole numbers where one belongs")
    return tuple(value)
