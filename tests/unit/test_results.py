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

from buildmatrix.errors import InputError
from buildmatrix.nouns import Measurement, Run, Status
from buildmatrix.results import Results
from buildmatrix.results.layout import UPGRADES, opened
from buildmatrix.results.rows import COLUMNS, RUN_COLUMNS, checksum_in_sql

if TYPE_CHECKING:
    from pathlib import Path

ROW = Measurement(
    run="r1",
    cell="caffe",
    device="pi3",
    emulated=False,
    model="face-cnn",
    batch=4,
    threads=4,
    passes=3,
    status=Status.OK,
    block=4,
    round=1,
    samples_ns=(4_000_001, 4_000_002, 2**53 + 1),
    first_pass_ns=7,
    instructions=2**40,
    peak_rss_kib=1234,
    max_rel_error=1.5e-6,
    void_reason="",
    bundle="b" * 64,
    series="s" * 64,
    taken_at="2026-11-20T19:05:00+00:00",
    environment={"device": {"features": ["neon"]}, "tool": "é"},
)
RUN = Run(
    id="20261120T190500Z-c0ffee",
    device="pi3",
    emulated=False,
    request={"seed": 7, "rounds": 3},
    journal='{"block":0}\n',
    collected_at="2026-11-20T19:45:00+00:00",
    label="nightly",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results" / "results.db"


def test_every_field_comes_back(path: Path) -> None:
    wrong = replace(
        ROW,
        block=5,
        batch=8,
        status=Status.WRONG,
        samples_ns=(),
        first_pass_ns=None,
        instructions=None,
        peak_rss_kib=None,
        max_rel_error=0.4,
        void_reason="off by 4.0e-01",
        emulated=True,
    )
    with Results(path) as results:
        assert results.insert([ROW, wrong]) == 2
    with Results(path) as results:
        assert results.all() == (ROW, wrong)
        assert results.blocks("r1") == (ROW, wrong)
        assert results.blocks("r2") == ()


def test_no_field_of_a_measurement_is_left_out() -> None:
    assert set(COLUMNS) == {field.name for field in fields(Measurement)}


def test_collecting_twice_inserts_once(path: Path) -> None:
    with Results(path) as results:
        assert results.insert([ROW]) == 1
        assert results.insert([replace(ROW, peak_rss_kib=9), replace(ROW, block=5)]) == 1
        assert [r.peak_rss_kib for r in results.all()] == [1234, 1234]


def test_latest_is_the_newest_run_and_keeps_emulated_apart(path: Path) -> None:
    """All blocks of it, and the sentinels of none."""
    again = replace(ROW, block=9, round=2)
    batch_8 = replace(ROW, block=5, batch=8)
    night = replace(ROW, run="r2", taken_at="1970-01-01T00:00:09+00:00")  # no real-time clock
    night_again = replace(night, block=7, status=Status.VOID)
    virtual = replace(ROW, run="r3", emulated=True)
    other_board = replace(ROW, run="r4", device="pi4")
    other_model = replace(ROW, run="r5", model="tiny")
    sentinel = replace(ROW, run="r6", block=0, sentinel=True)
    with Results(path) as results:
        results.insert([ROW, batch_8, again])
        results.insert([night, night_again, virtual, other_board, other_model, sentinel])
        assert results.latest() == (
            batch_8,
            night,
            night_again,
            virtual,
            other_board,
            other_model,
        )
        assert results.latest(model="tiny") == (other_model,)
        assert results.latest(model="face-cnn", device="pi4") == (other_board,)


def test_a_run_is_kept_whole_and_found_by_the_beginning_of_its_id(path: Path) -> None:
    night = replace(RUN, id="20261121T190500Z-c0ffee", device="pi4", label="")
    with Results(path) as results:
        assert results.insert([ROW], RUN) == 1
        assert results.insert([replace(ROW, block=5)], replace(RUN, journal="changed")) == 1
        results.insert([], night)
        assert results.runs() == (night, RUN)
        assert results.runs(label="nightly") == (RUN,)
        assert results.runs(device="pi4") == (night,)
        assert results.run("20261120") == RUN
        with pytest.raises(InputError, match="2 runs have an id that begins with '2026'"):
            results.run("2026")
        with pytest.raises(InputError, match="no runs") as caught:
            results.run("x")
    assert night.id in caught.value.hint


def test_rows_cannot_be_changed_or_removed(path: Path) -> None:
    with Results(path) as results:
        results.insert([ROW], RUN)
    with closing(sqlite3.connect(path)) as db:
        for statement in (
            "UPDATE measurement SET status = 'ok'",
            "DELETE FROM measurement",
            "UPDATE run SET journal = ''",
            "DELETE FROM run",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(statement)


def test_all_or_none(path: Path) -> None:
    broken = replace(ROW, block=5, batch=0)
    with Results(path) as results:
        with pytest.raises(sqlite3.IntegrityError):
            results.insert([ROW, broken], RUN)
        assert (results.all(), results.runs()) == ((), ())
        assert results.insert([ROW]) == 1


def test_a_newer_file_is_refused_with_a_way_out(path: Path) -> None:
    Results(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError, match="newer buildmatrix") as caught:
        Results(path)
    assert caught.value.where == str(path)
    assert "upgrade buildmatrix" in caught.value.hint


def test_a_file_of_the_first_version_is_upgraded_and_keeps_its_rows(path: Path) -> None:
    """Written by 0.1.0: one row for each cell and batch, the block only in the environment."""
    path.parent.mkdir(parents=True)
    columns = [name for name in COLUMNS if name not in ("block", "round", "sentinel")]
    old = {name: getattr(ROW, name) for name in columns} | {
        "emulated": 0,
        "status": "ok",
        "samples_ns": "[4000001, 4000002, 9007199254740993]",
        "environment": '{"device": {"features": ["neon"]}, "tool": "é", "block": 4}',
    }
    with closing(sqlite3.connect(path)) as db:
        for statement in UPGRADES[0]:
            db.execute(statement)
        names = ", ".join(columns)
        values = ", ".join(f":{name}" for name in columns)
        db.execute(f"INSERT INTO measurement ({names}) VALUES ({values})", old)
        db.execute("PRAGMA user_version = 1")
        db.commit()
    notes: list[str] = []
    with Results(path, notes.append) as new:
        (kept,) = new.all()
        assert kept == replace(ROW, round=0, environment={**ROW.environment, "block": 4})
        assert new.insert([ROW]) == 0
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(UPGRADES),)
    assert notes == [], "its rows are sealed as they are"


def changed(path: Path, old: bytes, new: bytes) -> None:
    """Other bytes of the same length in the file, as a disk that fails leaves them."""
    data = path.read_bytes()
    assert (data.count(old), len(old)) == (1, len(new))
    path.write_bytes(data.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"[4000001,", b"[1000001,"),  # a time: four milliseconds were one
        (b'"tool": "', b'"tool", "'),  # no JSON any more
        (b"2026-11-20T19:05:00", b"2026-11-20T19:0\xb5:00"),  # no UTF-8
    ],
)
def test_a_row_that_the_disk_changed_is_left_out_and_told(
    path: Path, old: bytes, new: bytes
) -> None:
    with Results(path) as results:
        results.insert([ROW, replace(ROW, block=5, samples_ns=(9,), environment={}, taken_at="")])
    changed(path, old, new)
    notes: list[str] = []
    with Results(path, notes.append) as results:
        assert [one.block for one in results.all()] == [5]
        assert [one.block for one in results.latest()] == [5]
    (note,) = notes
    assert "1 rows were damaged on the disk and are left out; they are of run r1" in note


def test_a_row_that_a_query_leaves_out_by_the_column_that_changed_is_told(path: Path) -> None:
    with Results(path) as results:
        results.insert([ROW])
    changed(path, b"face-cnn", b"face-cno")
    notes: list[str] = []
    with Results(path, notes.append) as results:
        assert results.latest("face-cnn") == results.latest() == ()
    (note,) = notes
    assert "1 rows were damaged on the disk and are left out; they are of run r1" in note


def test_a_run_that_the_disk_changed_is_left_out_and_told(path: Path) -> None:
    with Results(path) as results:
        results.insert([replace(ROW, run=RUN.id)], RUN)
    changed(path, b'{"seed": 7,', b'{"seed": 6,')
    notes: list[str] = []
    with Results(path, notes.append) as results:
        assert results.runs() == ()
        assert len(results.all()) == 1
    (note,) = notes
    assert f"they are of run {RUN.id}" in note


def test_rows_beside_a_page_that_is_gone_are_kept_in_a_new_file(path: Path) -> None:
    """Forty rows a page or two each; what is left of the damaged file stays beside the new one."""
    words = {"words": "x" * 3000}
    with Results(path) as results:
        results.insert([replace(ROW, block=n, environment=words) for n in range(40)])
    data = bytearray(path.read_bytes())
    middle = data.index(b"xxxx", len(data) // 2) // 4096 * 4096
    data[middle : middle + 8] = bytes(8)  # the header of a page of rows
    path.write_bytes(data)
    notes: list[str] = []
    with Results(path, notes.append) as results:
        blocks = [one.block for one in results.all()]
        assert results.insert([replace(ROW, block=40)]) == 1
    assert 36 <= len(blocks) < 40
    assert f"{len(blocks)} blocks of 0 runs are whole and kept" in notes[0]
    (damaged,) = path.parent.glob("*.damaged-*")
    assert damaged.read_bytes()[middle : middle + 8] == bytes(8)
    with Results(path, notes.append) as results:
        assert [one.block for one in results.all()] == [*blocks, 40]
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"CREATE TABLE run (", b"CREATE TABLE run )"),
        (b"            bundle TEXT", b"            bun\xb4le TEXT"),  # no UTF-8
        (b"            bundle TEXT", b"            bunele TEXT"),
    ],
)
def test_a_file_whose_tables_cannot_be_read_is_left_as_it_is(
    path: Path, old: bytes, new: bytes
) -> None:
    with Results(path) as results:
        results.insert([ROW])
    changed(path, old, new)
    before = path.read_bytes()
    with (
        pytest.raises(InputError, match=r"cannot be used as a results file.*damaged") as caught,
        Results(path) as results,
    ):
        results.all()
    assert "put a copy of it in its place" in caught.value.hint
    assert path.read_bytes() == before


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
        yield replace(ROW, run="r2", block=batch, batch=batch, samples_ns=tuple(range(1, 101)))

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


@pytest.mark.slow
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
                results.insert([replace(ROW, run=f"r{number}", block=b) for b in (1, 2, 4)])
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


def test_a_disk_that_fills_up_is_said_with_the_file_and_stores_nothing_half(path: Path) -> None:
    with Results(path) as results:
        results._db.execute("PRAGMA max_page_count = 12")  # what SQLite says of a full disk too
        many = [replace(ROW, block=n, void_reason="x" * 999) for n in range(99)]
        with pytest.raises(InputError, match="database or disk is full") as caught:
            results.insert(many, RUN)
        assert str(caught.value.where) == str(path)
        assert "the disk has room" in caught.value.hint
        assert (results.all(), results.runs()) == ((), ())


def uncounted(path: Path, page_of: str) -> None:
    """A file of four blocks, in which the page of a table or an index counts one less."""
    with Results(path) as results:
        results.insert([replace(ROW, block=n) for n in range(4)])
    with closing(sqlite3.connect(path)) as db:
        size = db.execute("PRAGMA page_size").fetchone()[0]
        query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        number = db.execute(query, (page_of,)).fetchone()[0]
    data = bytearray(path.read_bytes())
    data[(number - 1) * size + 4] -= 1  # how many cells the page has: the file format, 1.6
    path.write_bytes(data)


@pytest.mark.parametrize("page_of", ["sqlite_autoindex_measurement_1", "measurement"])
def test_a_row_that_a_page_does_not_count_any_more_is_told(path: Path, page_of: str) -> None:
    """Of an index: the row is there all the same. Of the table: it is gone, and that is said."""
    uncounted(path, page_of)
    notes: list[str] = []
    left = 4 if page_of.startswith("sqlite") else 3
    with Results(path, notes.append) as results:
        assert len(results.blocks("r1")) == left
    (note,) = notes
    assert f"{left} blocks of 0 runs are whole and kept" in note


def test_a_damaged_file_that_cannot_be_written_anew_is_read_as_far_as_it_goes_and_told(
    path: Path,
) -> None:
    uncounted(path, "sqlite_autoindex_measurement_1")
    path.with_name(f"{path.name}.salvaged").mkdir()  # nothing can be written there
    notes: list[str] = []
    with Results(path, notes.append) as results:
        assert len(results.all()) == 4
    (note,) = notes
    assert "rows of it may be missing, and no whole copy can be written" in note


HOLDS = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


def test_who_has_the_file_in_its_hands_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.sqlite"
    with Results(path) as results:
        results.insert([ROW])
    monkeypatch.setattr("buildmatrix.results.layout.PATIENCE", 0.2)
    argv = [sys.executable, "-c", HOLDS, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, text=True, stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError) as caught, Results(path) as results:
            results.insert([replace(ROW, run="r2")])
        other.communicate("")
    assert f"is in the hands of process {other.pid} ({sys.executable}" in caught.value.brief
    assert caught.value.hint == "run it again when that has ended"


@pytest.mark.parametrize(
    ("table", "column", "odd"),
    [
        ("measurement", "environment", "[]"),
        ("measurement", "environment", "null"),
        ("measurement", "samples_ns", '"x"'),
        ("measurement", "samples_ns", "[1, null]"),
        ("measurement", "status", "nonsense"),
        ("run", "request", "[]"),
        ("run", "request", "null"),
    ],
)
def test_what_another_wrote_with_a_checksum_of_its_own_is_told_and_left_out(
    tmp_path: Path, table: str, column: str, odd: str
) -> None:
    path = tmp_path / "results.sqlite"
    with Results(path) as results:
        results.insert([replace(ROW, run=RUN.id), replace(ROW, run="r2")], RUN)
    columns = COLUMNS if table == "measurement" else RUN_COLUMNS
    key = "run" if table == "measurement" else "id"
    with closing(opened(path)) as db:
        for (name,) in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (odd, RUN.id))
        db.execute(f"UPDATE {table} SET checksum = {checksum_in_sql(columns)}")
    notes: list[str] = []
    with Results(path, notes.append) as results:
        blocks, runs = results.all(), results.runs()
        assert (len(blocks), len(runs)) == ((1, 1) if table == "measurement" else (2, 0))
        results.latest()
    (note,) = notes
    assert "1 rows were damaged on the disk and are left out" in note
    assert f"run {RUN.id}" in note
