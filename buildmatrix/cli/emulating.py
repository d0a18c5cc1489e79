"""firmware: cells for boards without an operating system, in QEMU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buildmatrix.cli.command import command
from buildmatrix.cli.common import print_json, print_table, progress, say, workshop
from buildmatrix.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from buildmatrix.documents.boards import Firmware, FirmwareRow


@command(
    {"kind": "the board: mps2-an386, with a Cortex-M4, or mps2-an500, with a Cortex-M7"},
    iterable=["only"],
)
def firmware(
    _c: Any,
    kind: str = "mps2-an386",
    matrix: str = "matrix.yaml",
    only: Any = None,
    model: str = "",
    json: bool = False,
    state: str = "",
) -> None:
    """Run cells for boards without an operating system in QEMU: bits, instructions, buffers."""
    from buildmatrix.boards import emulating

    with progress() as reporter:
        rows = emulating.emulated(workshop(matrix, only, state, reporter, model=model), kind)
    if json:
        made: Firmware = {"version": 1, "cells": rows}
        print_json(made)
    else:
        print_table(_table(rows))
        say(f"\nemulated by {rows[0]['emulated']}: instructions of one pass, not cycles")
    refuse_wrong(rows)


def _table(rows: Sequence[FirmwareRow]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("cell", no_wrap=True)
    table.add_column("board", no_wrap=True)
    for head in ("instructions", "same bits", "right", "in floats", "weights"):
        table.add_column(head, justify="right", no_wrap=True)
    for head in ("scratch", "column", "input", "output"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        buffers, pictures = row["buffers"], row["pictures"]
        table.add_row(
            *(row["cell"], row["board"], f"{row['instructions']:,}"),
            f"{row['answers'] - row['different']} of {row['answers']}",
            f"{row['right']} of {pictures}" if pictures else "-",
            f"{row['right_in_floats']} of {pictures}" if pictures else "-",
            *(f"{size:,}" for size in (row["weights"], buffers["scratch"], buffers["column"])),
            *(f"{size:,}" for size in (buffers["input"], buffers["output"])),
        )
    return table


def refuse_wrong(rows: Sequence[FirmwareRow]) -> None:
    """Raise BenchError, exit code 7, for an answer that is another to the bit."""
    wrong = [
        f"{row['cell']}: {row['different']} of {row['answers']} answers differ"
        for row in rows
        if row["different"]
    ]
    if wrong:
        raise BenchError(f"no figure counts: {'; '.join(wrong)}")


TASKS = (firmware,)
