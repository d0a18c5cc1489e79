"""Real runs that are taken into the fit beside what was published, and what that changed.

An own row is of a kind of its own: it says which run and cell it is, and what the network asks for,
so that the fit can be made again. It is no published time, and no held-out error counts it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any

from buildmatrix.errors import InputError
from buildmatrix.estimate import board as table
from buildmatrix.estimate import fit, shown
from buildmatrix.estimate.board import Row
from buildmatrix.estimate.work import Part, total, works
from buildmatrix.records import read_record, write_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from buildmatrix.estimate.model import Setting
    from buildmatrix.network import NetworkSpec
    from buildmatrix.nouns import Measurement

VERSION = 1
# `CPU part` of /proc/cpuinfo; Arm's technical reference manuals, MIDR. Kryo 260 and 280 Gold say
# Qualcomm's 0x800 (arch/arm64/include/asm/cputype.h of Linux).
PARTS = {
    "cortex-a53": ("0xd03",),
    "cortex-a72": ("0xd08",),
    "cortex-a17": ("0xc0e",),
    "cortex-a7": ("0xc07",),
    "cortex-a57": ("0xd07",),
    "cortex-a73": ("0xd09", "0x800"),
}


@dataclass(frozen=True, slots=True)
class Own:
    """One cell of a real run, with one number of threads: milliseconds of an image, batch 1."""

    run: str
    cell: str
    model: str
    board: str
    threads: int
    ms: float
    asks: Mapping[str, float]

    @property
    def row(self) -> Row:
        name = f"{self.model} in {self.run}"
        return Row(self.board, self.threads, name, name, self.ms, own=True)


def own(
    blocks: Sequence[Measurement], net: NetworkSpec, place: Setting, *, run: str, cell: str
) -> Own:
    """What a run says of a cell: the median of its blocks at batch 1 with these threads.

    Raises InputError for a run that is not there, is emulated, or did not measure just that.
    """
    if not blocks:
        raise InputError(f"no run is called '{run}'", hint="`inv history --every-run` names them")
    if any(block.emulated for block in blocks):
        raise InputError(
            f"{run} is an emulated run, whose times say nothing of a board",
            hint=f"`inv bench --host BOARD --collect` measures {cell} on a real one",
        )
    _check_core(blocks, place, run)
    times = [
        block.mean_ms_per_image
        for block in blocks
        if (block.cell, block.model, block.batch) == (cell, net.name, 1)
        and block.threads == place.threads
        and not block.sentinel
    ]
    right = [ms for ms in times if ms is not None]
    if not right:
        raise InputError(
            f"{run} has no right answer of {cell} with {net.name} at batch 1 and "
            f"{place.threads} threads",
            hint="name the threads that it was measured with: --threads N",
        )
    asks = {part.value: count for part, count in total(works(net)).items()}
    return Own(run, cell, net.name, place.board.name, place.threads, median(right), asks)


def _check_core(blocks: Sequence[Measurement], place: Setting, run: str) -> None:
    """Refuse a run of a board that says it has other cores; one that says nothing is believed."""
    parts = {part for block in blocks for part in _parts(block)}
    wanted = PARTS[place.board.core]
    if parts and parts.isdisjoint(wanted):
        raise InputError(
            f"{run} is of a board whose cores are {', '.join(sorted(parts))}, and "
            f"{place.board.name} has {place.board.core} ({' or '.join(wanted)})"
        )


def _parts(block: Measurement) -> Sequence[str]:
    device = block.environment.get("device")
    parts = device.get("cpu_parts", ()) if isinstance(device, dict) else ()
    return [parts] if isinstance(parts, str) else [str(part) for part in parts]


def fitted(rows: Sequence[Own]) -> shown.Fitted:
    """The coefficients of all published and all own rows. Held-out errors are of the published."""
    shipped = shown.shipped()
    return replace(shipped, coefficients=together(table.published(), rows)) if rows else shipped


def together(published: Sequence[Row], own_rows: Sequence[Own]) -> Mapping[str, float]:
    """The coefficients of published and own rows, with the choice that was made for the shipped."""
    asked = {**table.asked(), **{one.row.network: one.asks for one in own_rows}}
    every = (*published, *(one.row for one in own_rows))
    return fit.fitted(every, asked, shown.shipped().choice)


def kept(path: Path) -> tuple[tuple[Own, ...], shown.Fitted]:
    """The own rows of a state folder with the fit that they gave; none where none is kept, or the
    parts of the model are others than they were."""
    record = read_record(path)
    rows = tuple(map(_read, record.get("rows", ()))) if record.get("version") == VERSION else ()
    whole = [row for row in rows if row.asks.keys() == {part.value for part in Part}]
    known = record.get("coefficients", {})
    if not whole or not known.keys() >= shown.shipped().coefficients.keys():
        return (), shown.shipped()
    return tuple(whole), replace(shown.shipped(), coefficients=known)


def keep(path: Path, rows: Sequence[Own], made: shown.Fitted) -> None:
    """Keep own rows and their fit in the place of what was there."""
    written = {"rows": [asdict(row) for row in rows], "coefficients": dict(made.coefficients)}
    write_record(path, {"version": VERSION, **written})


def with_row(rows: Sequence[Own], one: Own) -> tuple[Own, ...]:
    """The rows with another: it takes the place of one of the same run, cell and threads."""
    known = {(row.run, row.cell, row.threads): row for row in (*rows, one)}
    return tuple(known.values())


def _read(row: Mapping[str, Any]) -> Own:
    return Own(**row)
