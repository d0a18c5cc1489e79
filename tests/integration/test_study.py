"""The main job on real input: OpenBLAS and Caffe cross-built, audited, deployed, measured.

One state folder for the whole module, so that the stacks are built once; each test goes on from
what the one before it left, as a user does.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from buildmatrix import virtual
from tests import rounds, stacks
from tests.boards import STATE
from tests.integration import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.docker, pytest.mark.board, pytest.mark.built(rounds.FIRST)]

ROOT = Path(__file__).parent.parent.parent
PLAIN, NEON, OLD = "caffe-openblas-0.3.34", "caffe-openblas-0.3.34-neon", "caffe-openblas-0.3.21"
CELLS = [cell for cell in (OLD, PLAIN, NEON) if cell in stacks.CHOSEN]  # the old one nightly
ONLY = [word for cell in CELLS for word in ("--only", cell)]
STUDY = [
    "caffe-openblas",
    "caffe-openblas-dl",
    "mxnet-openblas",
    "mxnet-openblas-dl",
    "tf-vanilla",
    "tf-neon-vfpv4",
]


def run(*arguments: str, code: int = 0) -> tuple[str, str]:
    return cli.run(*arguments, cwd=ROOT, state=STATE, code=code)


def document(*arguments: str, code: int = 0) -> Any:
    return cli.document(*arguments, cwd=ROOT, state=STATE, code=code)


@pytest.fixture(scope="module")
def built() -> Any:
    """Cells that need no git host."""
    return document("build", *ONLY)


@pytest.fixture(scope="module")
def board(built: Any) -> Iterator[str]:
    run("device", "up", "--name", "study", "--kind", "pi3-counted")
    yield "study"
    run("device", "down", "--name", "study")


def test_every_cell_is_built_and_shared_work_only_once(built: Any) -> None:
    assert {c["id"]: c["state"] for c in built["cells"]}.keys() == set(CELLS)
    assert all(c["state"] in ("done", "cached") for c in built["cells"])
    works = [a["id"] for a in built["actions"] if a["id"].startswith(("build:", "runner:"))]
    libraries = {
        OLD: "build:openblas[max_threads=4,neon=false,openblas=0.3.21]@armv7hf-bookworm",
        PLAIN: "build:openblas[max_threads=4,neon=false,openblas=0.3.34]@armv7hf-bookworm",
        NEON: "build:openblas[max_threads=4,neon=true,openblas=0.3.34]@armv7hf-bookworm",
    }
    assert sorted(works) == [
        "build:blas[blas=openblas]@armv7hf-bookworm",
        "build:caffe@armv7hf-bookworm",
        *(libraries[cell] for cell in CELLS),
        "runner:caffe@armv7hf-bookworm",
    ]


def test_nothing_is_built_again(built: Any) -> None:
    run("build", "--frozen", *ONLY)


def test_the_study_is_listed_with_what_stands_in_the_way(built: Any) -> None:
    cells = {c["id"]: c for c in document("cells")["cells"]}
    assert set(STUDY) <= set(cells)
    assert "optimized_for_deeplearning is not locked" in cells["caffe-openblas-dl"]["reason"]
    assert cells[PLAIN]["shown"]["rung"] in ("built", "ran")


def test_the_audit_tells_the_neon_twin_apart(built: Any) -> None:
    for cell in CELLS:
        audit = document("audit", cell)
        assert [f for f in audit["findings"] if f["severity"] == "error"] == []
        library = next(f for f in audit["facts"] if f["file"] == "lib/libopenblas.so.0")
        neon = (library["neon_instructions"], library["simd"])
        assert neon == ((70, "NEONv1") if cell == NEON else (0, ""))
        assert library["float_abi"] == "hard"


def test_a_board_that_is_a_pi_but_not_hardware(board: str) -> None:
    about = document("device", "info", "--host", board)
    assert about["model"] == "Raspberry Pi 3 Model B Rev 1.2"
    assert about["elf_machine"] == "EM_ARM"
    assert {"neon", "vfpv4"} <= set(about["features"])
    assert about["emulated"]


def test_killed_in_an_upload_the_next_run_completes(board: str) -> None:
    with cli.start("deploy", "--host", board, "--only", CELLS[0], cwd=ROOT, state=STATE) as process:
        _until(board, "find .buildmatrix/tmp -type f 2>/dev/null | grep -q .")
        assert process.poll() is None, "it ended before it could be killed"
        process.kill()
    assert _on_board(board, "ls .buildmatrix/cells 2>/dev/null; true") == "", "nothing is switched"
    (done,) = document("deploy", "--host", board, "--only", CELLS[0])["boards"]
    assert [c["state"] for c in done["cells"]] == ["switched"]
    (again,) = document("deploy", "--host", board, "--only", CELLS[0])["boards"]
    assert (again["sent_objects"], again["sent_bytes"]) == (0, 0)
    assert [c["state"] for c in again["cells"]] == ["unchanged"]


def test_further_variants_send_only_what_differs(board: str) -> None:
    (done,) = document("deploy", "--host", board, *ONLY)["boards"]
    assert [c["id"] for c in done["cells"]] == CELLS
    further = len(CELLS) - 1
    assert done["sent_objects"] == 2 * further  # an OpenBLAS and a manifest each
    assert done["sent_bytes"] < 3_000_000


def test_a_changed_host_key_is_refused(board: str, tmp_path: Path) -> None:
    port = next(b.address.port for b in virtual.boards(STATE) if b.address.name == board)
    address = f"pi@127.0.0.1:{port}"
    _, err = run("deploy", "--host", address, *ONLY, code=6)
    assert "SHA256:" in err
    assert "buildmatrix device trust --host" in err
    wrong = "SHA256:" + "A" * 43
    _, err = run("device", "trust", "--host", address, "--fingerprint", wrong, code=6)
    assert f"that is not {wrong}" in err


BENCH = ["--batches", "1,2", "--rounds", "1", "--passes", "2", "--warmup", "0", "--threads", "1"]


def test_killed_in_a_benchmark_nothing_is_lost_or_run_twice(board: str) -> None:
    arguments = ["bench", "--host", board, *ONLY, *BENCH, "--collect"]
    with cli.start(*arguments, cwd=ROOT, state=STATE) as process:
        _until(board, "grep -qs . .buildmatrix/runs/current/journal.jsonl")
        process.kill()
    found = document("bench", "--host", board, *ONLY, *BENCH, "--collect")
    rows = {(r["cell"], r["batch"]): r for r in found["rows"]}
    assert rows.keys() == {(cell, batch) for cell in CELLS for batch in (1, 2)}
    for row in rows.values():
        assert row["status"] == "ok", row["void_reason"]
        assert row["emulated"] is True
        assert len(row["samples_ns"]) == 2
        assert row["max_rel_error"] < 1e-4
    assert _on_board(board, "ls .buildmatrix/runs") == "", "collected, so it is off the board"
    per_image = {cell: rows[cell, 2]["instructions_per_image"] for cell in CELLS}
    # 49.4 M multiply-adds, four to an instruction: nobody can do with fewer than 12.3 M.
    assert 12.3e6 < per_image[NEON] < 0.6 * per_image[PLAIN]
    assert all(abs(per_image[cell] / per_image[PLAIN] - 1) < 0.05 for cell in CELLS[:-1])


@pytest.mark.nightly
def test_a_run_left_on_the_board_is_collected_before_ours(board: str) -> None:
    common = ["bench", "--host", board, "--only", CELLS[0], "--rounds", "1", "--passes", "2"]
    common += ["--warmup", "0"]
    left, _ = run(*common, "--threads", "1", "--batches", "1")
    assert "is on study: " in left
    found = document(*common, "--threads", "1", "--batches", "2", "--collect")
    assert [(r["batch"], r["status"]) for r in found["rows"]] == [(2, "ok")]
    rows = {r["batch"]: r for r in document("report", "--host", board, "--only", CELLS[0])["rows"]}
    assert left.split()[1] == rows[1]["run"] != rows[2]["run"]


def test_the_report_carries_every_sample_and_says_emulated(board: str) -> None:
    found = document("report", "--host", board)
    assert found["model"] == {"name": "face-cnn", "parameters": 1039744}
    assert len(found["rows"]) == 2 * len(CELLS)
    assert all(len(r["samples_ns"]) == 2 and r["emulated"] for r in found["rows"])
    table, _ = run("report", "--host", board, "--against", "study")
    assert "study (emulated)" in table
    assert "say nothing about a board" in table
    for cell in CELLS:
        assert cell in table
    assert "76.53" in table, "the published table stands on its own beside ours"
    csv, _ = run("report", "--host", board, "--format", "csv")
    assert len(csv.splitlines()) == 2 * len(CELLS) + 1
    cells = {c["id"]: c["shown"]["rung"] for c in document("cells")["cells"]}
    assert {cells[cell] for cell in CELLS} == {"ran"}


def _on_board(name: str, script: str) -> str:
    from buildmatrix import ssh

    target = next(b.address for b in virtual.boards(STATE) if b.address.name == name)
    with ssh.connect(target, timeout=120, known_hosts=None) as connection:
        return connection.run(script, timeout=600).stdout.decode().strip()


def _until(board: str, condition: str) -> None:
    """Wait on the board, in one session: a log-in for each look takes its one core a second."""
    looks = f"n=0; until {condition}; do n=$((n + 1)); [ $n -lt 1000 ] || exit 9; sleep 0.3; done"
    assert _on_board(board, f"{looks}; echo so") == "so", "never: " + condition
