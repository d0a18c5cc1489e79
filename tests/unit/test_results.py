"""The results file: nothing lost, nothing twice, nothing half, nothing changed afterwards."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import pytest

import buildmatrix.results
from buildmatrix.errors import InputError
from buildmatrix.model import Measurement, Status
from buildmatrix.results import COLUMNS, UPGRADES, Results

if TYPE_CHECKING:
    from pathlib import Path

ROW = Measurement(
    run="r1", cell="caffe", device="pi3", emulated=False, model="face-cnn", batch=4, threads=4,
    passes=3, status=Status.OK, samples_ns=(4_000_001, 4_000_002, 2**53 + 1), first_pass_ns=7,
    instructions=2**40, peak_rss_kib=1234, max_rel_error=1.5e-6, void_reason="", bundle="b" * 64,
    series="s" * 64, taken_at="2026-11-20T19:05:00+00:00",
    environment={"device": {"features": ["neon"]}, "sentinel_ratio": 1.01, "tool": "é"},
)  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results" / "results.db"


def test_every_field_comes_back(path: Path) -> None:
    wrong = replace(
        ROW, batch=8, status=Status.WRONG, samples_ns=(), first_pass_ns=None, instructions=None,
        peak_rss_kib=None, max_rel_error=0.4, void_reason="off by 4.0e-01", emulated=True,
    )  # fmt: skip
    with Results(path) as results:
        assert results.insert([ROW, wrong]) == 2
    with Results(path) as results:
        assert results.all() == (ROW, wrong)
        assert results.run("r1") == (ROW, wrong)
        assert results.run("r2") == ()


def test_no_field_of_a_measurement_is_left_out() -> None:
    assert set(COLUMNS) == {field.name for field in fields(Measurement)}


def test_collecting_twice_inserts_once(path: Path) -> None:
    with Results(path) as results:
        assert results.insert([ROW]) == 1
        assert results.insert([replace(ROW, peak_rss_kib=9), replace(ROW, batch=8)]) == 1
        assert [r.peak_rss_kib for r in results.all()] == [1234, 1234]


def test_latest_is_the_last_inserted_and_keeps_emulated_apart(path: Path) -> None:
    night = replace(ROW, run="r2", taken_at="1970-01-01T00:00:09+00:00")  # no real-time clock
    virtual = replace(ROW, run="r3", emulated=True)
    other_board = replace(ROW, run="r4", device="pi4")
    other_model = replace(ROW, run="r5", model="tiny")
    with Results(path) as results:
        results.insert([ROW, replace(ROW, batch=8)])
        results.insert([night, virtual, other_board, other_model])
        assert results.latest() == (
            replace(ROW, batch=8), night, virtual, other_board, other_model,
        )  # fmt: skip
        assert results.latest(model="tiny") == (other_model,)
        assert results.latest(model="face-cnn", device="pi4") == (other_board,)


def test_rows_cannot_be_changed_or_removed(path: Path) -> None:
    with Results(path) as results:
        results.insert([ROW])
    with closing(sqlite3.connect(path)) as db:
        for statement in ("UPDATE measurement SET status = 'ok'", "DELETE FROM measurement"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(statement)


def test_all_or_none(path: Path) -> None:
    broken = replace(ROW, batch=0)
    with Results(path) as results:
        with pytest.raises(sqlite3.IntegrityError):
            results.insert([ROW, broken])
        assert results.all() == ()
        assert results.insert([ROW]) == 1


def test_a_newer_file_is_refused_with_a_way_out(path: Path) -> None:
    Results(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError, match="newer buildmatrix") as caught:
        Results(path)
    assert caught.value.where == str(path)
    assert "upgrade buildmatrix" in caught.value.hint


def test_an_older_file_is_upgraded_and_keeps_its_rows(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Results(path) as old:
        old.insert([ROW])
    step = (
        "ALTER TABLE measurement ADD COLUMN later TEXT",
        "CREATE INDEX later ON measurement (later)",
    )
    monkeypatch.setattr(buildmatrix.results, "UPGRADES", (*UPGRADES, step))
    with Results(path) as new:
        assert new.all() == (ROW,)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(UPGRADES) + 1,)
        assert db.execute("SELECT later FROM measurement").fetchall() == [(None,)]


def test_something_else_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "results.db"
    other.write_text("not a database, but long enough to be looked at" * 100)
    with pytest.raises(
        InputError, match="cannot be used as a results file: file is not a database"
    ):
        Results(other)
    assert other.read_text().startswith("not a database")


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from buildmatrix.results import Results
from tests.unit.test_results import ROW

def rows():
    for batch in range(1, 2001):
        yield replace(ROW, run="r2", batch=batch, samples_ns=tuple(range(1, 101)))

with Results(Path(sys.argv[1])) as results:
    seen = 0
    def killer(statement):
        global seen
        seen += statement.startswith("INSERT")
        if seen == 1500:
            os.kill(os.getpid(), signal.SIGKILL)
    results._db.set_trace_callback(killer)
    results.insert(rows())
"""


def test_killed_in_the_middle_of_an_insert_leaves_nothing_half(path: Path) -> None:
    with Results(path) as results:
        results.insert([ROW])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, path], env=dict(os.environ), check=False, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL
    with Results(path) as results:
        assert results.all() == (ROW,)
        assert results.insert([replace(ROW, run="r2")]) == 1


def test_many_processes_may_open_an_empty_file_and_write(path: Path) -> None:
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            with Results(path) as results:
                results.insert([replace(ROW, run=f"r{number}", batch=b) for b in (1, 2, 4)])
        except BaseException as error:  # noqa: BLE001 # shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with Results(path) as results:
        assert len(results.all()) == 24
