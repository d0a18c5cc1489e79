"""A network in 8 bits, compiled for a board without an operating system and run there by QEMU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import rounds
from tests.boards import STATE
from tests.integration import cli

pytestmark = [pytest.mark.docker, pytest.mark.board, pytest.mark.built(rounds.FIRST)]

ROOT = Path(__file__).parents[2]
MATRIX = ("--matrix", "cortex-m.yaml")
PLAIN = (*MATRIX, "--only", "cmsis-nn-plain*")


def rows(*arguments: str) -> list[dict[str, Any]]:
    found = cli.document("firmware", *PLAIN, *arguments, cwd=ROOT, state=STATE)
    cells: list[dict[str, Any]] = found["cells"]
    return cells


@pytest.fixture(scope="module")
def measured() -> list[dict[str, Any]]:
    """On a Cortex-M4, once all is built."""
    cli.run("build", *PLAIN, cwd=ROOT, state=STATE)
    return rows()


def test_every_answer_has_the_bits_of_numpy(measured: list[dict[str, Any]]) -> None:
    digits, pictures = measured
    assert (digits["model"], digits["answers"], digits["different"]) == ("lenet-5-digits", 361, 0)
    assert (pictures["model"], pictures["answers"], pictures["different"]) == ("cifar-10", 1, 0)
    assert digits["pictures"] == 360
    assert digits["right"] >= digits["right_in_floats"] - 5


def test_instructions_are_counted_and_repeat(measured: list[dict[str, Any]]) -> None:
    """At least one of each multiply-add; the other board executes the same program."""
    digits, pictures = measured
    assert 416_520 < digits["instructions"] < 20 * 416_520
    assert 12_298_240 < pictures["instructions"] < 20 * 12_298_240
    assert [row["instructions"] for row in rows()] == [row["instructions"] for row in measured]
    other = rows("--kind", "mps2-an500")
    assert [row["different"] for row in other] == [0, 0]
    assert [row["instructions"] for row in other] == [row["instructions"] for row in measured]


def test_the_page_s_table_is_what_was_measured(measured: list[dict[str, Any]]) -> None:
    """Instructions may move with Debian's compiler; by more than a twentieth the page is wrong."""
    page = (ROOT / "docs" / "cortex-m.md").read_text()
    for row in measured:
        (line,) = (one for one in page.splitlines() if one.startswith(f"| `{row['cell']}` |"))
        told, same, right, floats, *sizes = (field.strip() for field in line.split("|")[3:-1])
        assert 0.95 < int(told.replace(",", "")) / row["instructions"] < 1.05
        assert same == f"{row['answers']} of {row['answers']}"
        if row["pictures"]:
            known = (row["right"], row["right_in_floats"])
            assert [right, floats] == [f"{one} of {row['pictures']}" for one in known]
        buffers = row["buffers"]
        bytes_of = [row["weights"], *(buffers[n] for n in ("scratch", "column", "input", "output"))]
        assert sizes == [f"{size:,}" for size in bytes_of]


def test_arm_s_own_library_says_where_it_would_come_from(measured: list[dict[str, Any]]) -> None:
    one = ("--only", "cmsis-nn-5.9.0")
    found = cli.document("build", *MATRIX, *one, cwd=ROOT, state=STATE, code=4)
    (cell,) = found["cells"]
    assert cell["state"] == "unavailable"
    assert "https://github.com/ARM-software/CMSIS_5.git" in cell["cause"]


def test_it_is_handed_over_as_c(measured: list[dict[str, Any]], tmp_path: Path) -> None:
    cli.run(
        *("get", "cmsis-nn-plain", "--matrix", "cortex-m.yaml", "--out", str(tmp_path / "net")),
        cwd=ROOT,
        state=STATE,
    )
    source = (tmp_path / "net" / "model" / "net.c").read_text()
    assert "arm_convolve_HWC_q7_basic(net_input, 28, 1, weight_0, 6, 5, 2, 1," in source


def test_a_matrix_without_such_a_cell_is_told_so() -> None:
    _, told = cli.run("firmware", cwd=ROOT, state=STATE, code=3)
    assert "no selected cell is for a board without an operating system" in told


def test_a_board_that_is_none_is_told_so(measured: list[dict[str, Any]]) -> None:
    _, told = cli.run("firmware", *PLAIN, "--kind", "mps2-an385", cwd=ROOT, state=STATE, code=2)
    assert "there are: mps2-an386, mps2-an500" in told
