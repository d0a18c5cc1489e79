"""What the reader sees: golden renderings, and what no rendering may ever do."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from buildmatrix import report
from buildmatrix.nouns import Measurement, Status
from buildmatrix.summary import rows as rows_of
from tests.documents import valid
from tests.unit.rows import RUN, emulated, row

GOLDEN = Path(__file__).parent.parent / "golden"
BOUND = 12.4e6


def example() -> list[Measurement]:
    """Every status, an emulated board beside a real one, more cells than a terminal is wide.

    One cell of the real one has six rounds, one of them void.
    """
    cells = {"caffe-openblas-0.3.21": 90, "caffe-openblas-neon": 45, "tf-neon-vfpv4": 41}
    rows = {(c, b): row(c, b, ms - b / 8) for c, ms in cells.items() for b in (1, 2, 4, 8, 64)}
    ended = {
        ("caffe-openblas-0.3.21", 64): (Status.OOM, "out of memory; the largest that ran is 8"),
        ("caffe-openblas-neon", 2): (Status.WRONG, "off by 4.0e-02, allowed is 1.0e-03"),
        ("tf-neon-vfpv4", 4): (Status.VOID, "throttled (firmware bits 0x5)"),
        ("tf-neon-vfpv4", 8): (Status.FAILED, "exit status 4: [red]no <b>|such|</b> layer"),
    }
    for (cell, batch), (status, reason) in ended.items():
        error = 0.04 if status is Status.WRONG else None
        rows[cell, batch] = row(
            cell, batch, 40, status=status, void_reason=reason, max_rel_error=error
        )
    counts = {
        "caffe-openblas-0.3.21": (390, 81),
        "caffe-openblas-neon": (420, 39.2),
        "tf-neon-vfpv4": (300, 44),
        "caffe-openblas-debian": (380, 88),
        "mxnet-openblas-dl": (500, 99),
    }
    virtual = [
        emulated(cell, batch, ms - batch, millions - batch / 10)
        for cell, (ms, millions) in counts.items()
        for batch in (1, 4)
    ]
    rounds = [
        *(
            row("caffe-openblas-neon", 1, ms, round=n)
            for n, ms in enumerate((44.4, 46.1, 45, 45.3))
        ),
        row("caffe-openblas-neon", 1, 80, round=3, status=Status.VOID, void_reason="throttled"),
        row("caffe-openblas-neon", 1, 44.8, round=4, sentinel=True),
    ]
    return [*rows.values(), *rounds, *virtual]


def drawn(grids: tuple[report.Grid, ...], *, width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(report.table(grids), crop=False)
    return "\n".join(line.rstrip() for line in console.export_text().splitlines()) + "\n"


def rendered() -> dict[str, str]:
    rows = rows_of(example())
    notes = {RUN: ["the board was 12 % slower at the end than at the start"]}
    grids = report.grids(rows, bound=BOUND, notes=notes)
    document = report.document(rows, model_name="face-cnn", parameters=1_039_744)
    return {
        "report.txt": drawn((*grids, report.study())),
        "report.md": report.markdown((*grids, report.study())),
        "report.csv": report.csv(rows),
        "report.json": json.dumps(document, indent=1) + "\n",
    }


@pytest.mark.slow
def test_the_document_fits_its_schema() -> None:
    document = json.loads((GOLDEN / "report.json").read_text())
    valid("report", document)
    valid("bench", document)  # what `inv bench --collect` ends with


@pytest.mark.parametrize("name", ["report.txt", "report.md", "report.csv", "report.json"])
def test_golden(name: str) -> None:
    """To accept a change: python -m tests.unit.test_report, then read the diff."""
    assert rendered()[name] == (GOLDEN / name).read_text(encoding="utf-8")


def test_the_document_has_what_the_contract_names() -> None:
    blocks = example()
    found = rows_of(blocks)
    document = report.document(found, model_name="face-cnn", parameters=1_039_744)
    assert document["version"] == 1
    assert document["model"] == {"name": "face-cnn", "parameters": 1_039_744}
    rows = document["rows"]
    assert isinstance(rows, list)
    assert set(rows[0]) >= {
        "cell",
        "device",
        "emulated",
        "batch",
        "threads",
        "passes",
        "status",
        "mean_ms_per_image",
        "samples_ns",
        "instructions_per_image",
        "peak_rss_kib",
        "max_rel_error",
        "void_reason",
    }
    assert rows[0]["mean_ms_per_image"] == 89.875
    assert rows[0]["samples_ns"] == [89874000, 89876000]
    assert [r["mean_ms_per_image"] for r in rows if r["status"] not in ("ok",)] == [None] * 4
    neon = rows[5]
    assert (neon["blocks"], neon["void_blocks"], len(neon["samples_ns"])) == (5, 1, 10)
    low, high = neon["interval_ms_per_image"]
    assert low < neon["mean_ms_per_image"] < high
    told = document["blocks"]
    assert isinstance(told, list)
    assert len(told) == len([b for b in blocks if not b.sentinel]), "void ones too"
    assert [b["mean_ms_per_image"] for b in told if b["status"] == "void"] == [None, None]
    assert report.document(found, model_name="other", parameters=1)["rows"] == []


def test_csv_reads_back() -> None:
    rows = rows_of(example())
    lines = list(csv.DictReader(io.StringIO(report.csv(rows))))
    assert len(lines) == len(rows)
    assert lines[0]["samples_ns"] == "89874000 89876000"
    assert {line["device"]: line["emulated"] for line in lines} == {
        "pi3": "false",
        "virtual": "true",
    }


anything = st.lists(
    st.builds(
        row,
        st.sampled_from(["a", "caffe-openblas-with-a-long-name", "b"]),
        st.sampled_from([1, 2, 4]),
        st.floats(0.1, 1e4),
        device=st.sampled_from(["pi3", "virtual"]),
        emulated=st.booleans(),
        threads=st.sampled_from([1, 4]),
        status=st.sampled_from(Status),
        void_reason=st.text(alphabet="ab [/]<|\n", max_size=9),
        instructions=st.none() | st.integers(1, 10**12),
        max_rel_error=st.none() | st.just(0.5),
    ),
    max_size=12,
)


@given(anything)
def test_emulated_and_real_never_share_a_table_and_each_says_what_it_is(
    blocks: list[Measurement],
) -> None:
    for grid in report.grids(rows_of(blocks)):
        members = {
            (r.emulated, r.device, r.threads)
            for r in blocks
            if grid.title.startswith(
                f"{r.device}{' (emulated)' if r.emulated else ''}: {r.model}, {r.threads} thread"
            )
        }
        assert len(members) == 1
        assert {grid.emulated} == {emulated for emulated, _, _ in members}
        text, mark = drawn((grid,)), report.markdown((grid,))
        table, header = text.split("\n\n")[0], mark.split("\n")[2]
        told = ("emulated" in table.split("\n")[2], header.count("(emulated)"))
        assert told == ((True, len(grid.cells)) if grid.emulated else (False, 0))


@given(anything)
def test_no_time_is_shown_that_is_not_right(blocks: list[Measurement]) -> None:
    found = rows_of(blocks)
    for grid in report.grids(found):
        shown = [value for value in grid.values.values() if value.text[0].isdigit()]
        right = [
            r
            for r in found
            if r.status is Status.OK
            and r.first.threads == (1 if "1 thread," in grid.title else 4)
            and grid.title.startswith(f"{r.first.device}{' (emulated)' if r.emulated else ''}:")
        ]
        assert len(shown) == len(right)


def test_a_name_wider_than_the_terminal_costs_no_figure() -> None:
    name = "caffe-openblas-0.3.34-neon-" * 3
    lines = drawn(report.grids(rows_of([emulated(name, 1, 83.59, 41)])), width=60)
    assert {name, "83.59", "41.0"} <= set(lines.split())


@given(anything, st.integers(60, 140))
def test_no_line_is_wider_than_the_terminal_and_no_cell_is_lost(
    blocks: list[Measurement], width: int
) -> None:
    grids = report.grids(rows_of(blocks))
    lines = drawn(grids, width=width).splitlines()
    assert max(map(len, lines), default=0) <= width
    assert all(any(cell in line for line in lines) for grid in grids for cell in grid.cells)


def test_under_emulation_the_fewest_instructions_are_best_and_no_time_is() -> None:
    rows = [emulated("fast-clock", 1, 100, 80), emulated("few-instructions", 1, 200, 40)]
    (grid,) = report.grids(rows_of(rows))
    assert grid.is_best(1, "few-instructions")
    assert not grid.is_best(1, "fast-clock")
    assert "| 1 | 100.00 (80.0) | 200.00 (**40.0**) |" in report.markdown((grid,))


def test_the_bound_is_told_where_instructions_are() -> None:
    counted = report.markdown(report.grids(rows_of([emulated("a", 1, 1, 40)]), bound=BOUND))
    plain = report.markdown(report.grids(rows_of([row("a", 1, 1)]), bound=BOUND))
    assert "a direct convolution needs 12.4" in counted
    assert "12.4" not in plain
    tiny = report.markdown(report.grids(rows_of([emulated("a", 1, 1, 40)]), bound=32_256))
    assert "a direct convolution needs 0.03226" in tiny  # 0.0 was told


def test_whose_answer_is_right_is_told_and_in_what_it_may_be_off() -> None:
    eights = {"number_format": "int8", "tolerance": 2.0, "step": 1 / 256, "answerer": "LiteRT"}
    told = report.markdown(report.grids(rows_of([row("a", 1, 1, environment=eights)])))
    assert "every answer is within 2 steps of 0.0039 of LiteRT's answer (int8)" in told
    assert "reference" not in told
    plain = report.markdown(report.grids(rows_of([row("a", 1, 1)])))
    assert "every answer is within 0.0001 of the reference (float32)" in plain


def test_the_study_is_labelled_and_whole() -> None:
    grid = report.study()
    assert grid.title == "Raspberry Pi 3, published 2017: face-cnn, ms an image"
    assert len(grid.cells) == 6
    assert grid.batches == (1, 2, 4, 8, 16, 32, 64, 128, 256)
    assert grid.value(1, "caffe-openblas").text == "76.53"
    assert grid.value(256, "tf-neon-vfpv4").text == "40.50"
    absent = [key for key, value in grid.values.items() if value.text == "-"]
    assert absent == [
        (128, "mxnet-openblas-dl"),
        (256, "mxnet-openblas"),
        (256, "mxnet-openblas-dl"),
    ]
    assert all(
        grid.is_best(batch, "tf-neon-vfpv4") for batch in grid.batches if batch not in (1, 2)
    )


def test_a_runner_s_words_are_no_formula_no_picture_and_no_tag() -> None:
    said = "=1+1 ![a](b) <b>no</b> | memory"
    failed = row("caffe", 1, 0, status=Status.FAILED, void_reason=said, device="@board")
    found = rows_of([failed])
    (line,) = csv.DictReader(io.StringIO(report.csv(found)))
    assert line["device"] == "'@board"
    assert not any(field.startswith(("=", "+", "-", "@")) for field in line.values())
    text = report.markdown(report.grids(found, bound=BOUND))
    assert "=1+1 !\\[a]\\(b) &lt;b>no&lt;/b> \\| memory" in text
    assert "![" not in text


def test_nothing_measured_draws_nothing() -> None:
    assert report.grids([]) == ()
    assert report.markdown(()) == ""


if __name__ == "__main__":
    for golden, text in rendered().items():
        (GOLDEN / golden).write_text(text, encoding="utf-8")
