"""Accuracy and layers in the report: what a reader sees beside a time."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from buildmatrix import page, report
from buildmatrix.summary import rows as rows_of
from tests.documents import valid
from tests.unit.rows import FORMAT, emulated, row

if TYPE_CHECKING:
    from buildmatrix.nouns import Measurement

LAYERS = {"passes": 2, "rows": [["conv1", 6_000_000, 600], ["<b>prob", 2_000_000, 200]]}


def measured(cell: str, ms: float, right: int, number_format: str = "float32") -> Measurement:
    told: dict[str, Any] = {"held_out": {"right": right, "of": 360}, "layers": LAYERS}
    return row(cell, 1, ms, environment={**FORMAT, **told, "number_format": number_format})


BOARD = [
    measured("slow", 9, 357),
    measured("exact", 4, 357),
    measured("small", 2, 350, "int8"),
    measured("bad", 3, 349, "int8"),
    row("silent", 1, 1),
]


def text(*parts: Any, width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    for part in parts:
        console.print(part, crop=False)
    return console.export_text()


@pytest.mark.parametrize("width", [30, 60, 80, 100, 160])
def test_no_figure_of_a_list_is_cut_at_any_width(width: int) -> None:
    """At 30 columns the terminal itself breaks a line; nothing of it is left out."""
    layers = report.layers(report.layer_tables(rows_of(BOARD[1:2])))
    whole = text(report.table(report.grids(rows_of(BOARD))), layers, width=400).split()
    shown = text(report.table(report.grids(rows_of(BOARD))), layers, width=width).split()
    figures = [word for word in whole if any(map(str.isdigit, word))]
    assert len(figures) > 20
    assert [word for word in figures if word not in shown] == []


def lines(blocks: list[Measurement]) -> dict[str, str]:
    shown = text(report.table(report.grids(rows_of(blocks))))
    _, _, accuracy = shown.partition("accuracy, on pictures")
    return {line.split()[0]: line for line in accuracy.splitlines() if line.strip()}


def test_accuracy_stands_beside_time_with_the_front_of_both() -> None:
    table = lines(BOARD)
    words = "exact float32 357 of 360 99.2% 4.00 1 ◆"
    assert " ".join(table["exact"].split()) == words
    assert [cell for cell in table if table[cell].rstrip().endswith("◆")] == ["exact", "small"]
    assert "silent" not in table, "it was not asked"


def test_a_cell_stands_at_the_batch_that_suits_it_best() -> None:
    two = row("exact", 4, 3, environment=BOARD[1].environment)
    assert lines([*BOARD, two])["exact"].split()[-3:] == ["3.00", "4", "◆"]


def test_of_an_emulated_board_instructions_count_and_are_marked() -> None:
    made = emulated("a", 1, 5, 7)
    told = {**FORMAT, "held_out": {"right": 1, "of": 2}}
    shown = text(report.table(report.grids(rows_of([replace(made, environment=told)]))))
    assert "held out (emulated)" in shown
    assert "instructions (emulated)" in shown
    assert "7.00" in shown.partition("accuracy")[2]


def test_a_network_that_is_not_trained_has_no_word_of_accuracy() -> None:
    grids = report.grids(rows_of([row("a", 1, 2)]))
    assert "accuracy" not in text(report.table(grids)) + report.markdown(grids)


def test_layers_are_held_against_the_whole() -> None:
    """Eight milliseconds of two passes are all of the four that one takes."""
    shown = text(report.layers(report.layer_tables(rows_of(BOARD[1:2]))))
    assert ", batch 1, 4 threads" in shown
    assert "conv1" in shown
    assert "75.0%" in shown
    assert "together 100.0% of a whole pass, 4 ms" in shown


def test_a_stack_without_a_word_on_its_layers_says_so() -> None:
    silent = row("a", 1, 2, environment={**FORMAT, "layers": {"silent": "this stack [b] not"}})
    assert "this stack [b] not" in text(report.layers(report.layer_tables(rows_of([silent]))))


def test_the_document_has_both() -> None:
    found = report.document(rows_of(BOARD), model_name="face-cnn", parameters=1)
    valid("report", found)
    rows: Any = found["rows"]
    assert (rows[0]["right"], rows[0]["held_out"]) == (357, 360)
    assert [layer["name"] for layer in rows[0]["layers"]] == ["conv1", "<b>prob"]
    assert rows[-1]["right"] is None
    assert "layers" not in rows[-1]


@pytest.mark.slow
def test_the_page_has_both_and_escapes_a_layer_s_name() -> None:
    (grid,) = report.grids(rows_of(BOARD))
    board = page.BoardSection(
        "pi3",
        grid,
        points=(),
        accuracy=report.judged(grid.rows),
        layers=report.layer_tables(grid.rows),
    )
    html = page.render(page.Page("t", "m", "2026-11-28T00:00:00", "b", boards=(board,)))
    assert "Accuracy beside time" in html
    assert html.count(", on the front") == 2
    assert "&lt;b&gt;prob" in html
    assert 'rect width="75.0"' in html
