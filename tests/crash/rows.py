"""Single bits flipped in a results file: nothing may be shown that was not measured."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from buildmatrix.errors import BuildmatrixError
from buildmatrix.results import Results
from tests.unit.test_results import ROW, RUN

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from buildmatrix.nouns import Measurement

RUNS, BLOCKS = 6, 8


def bits(root: Path, count: int, dice: random.Random) -> tuple[list[str], int]:
    """One bit of a results file flipped, so many times: what was shown that was not measured, or
    ended otherwise than with an error of ours; and how often rows were missing without a word,
    which a bit in an index can do."""
    folder = root / "rows"
    path = folder / "results.sqlite"
    written = _written(path)
    data, faults, missed = path.read_bytes(), [], 0
    for _ in range(count):
        shutil.rmtree(folder)
        folder.mkdir()
        bit = dice.randrange(8 * len(data))
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        notes: list[str] = []
        try:
            shown = _shown(path, notes)
        except BuildmatrixError:
            continue
        except Exception as error:  # noqa: BLE001 - whatever a reader lets through is a fault
            faults.append(f"row bit {bit}: {error!r}")
            continue
        faults += [f"row bit {bit}: {one}" for one in set(shown) - set(written)]
        missed += len(shown) < len(written) and not notes
    return faults, missed


def _written(path: Path) -> list[str]:
    with Results(path) as results:
        for number in range(RUNS):
            blocks = [
                replace(ROW, run=f"r{number}", block=n, batch=n + 1, samples_ns=(number, n))
                for n in range(BLOCKS)
            ]
            results.insert(blocks, replace(RUN, id=f"r{number}", label="nightly"))
    return _shown(path, [])


def _shown(path: Path, notes: list[str]) -> list[str]:
    """All that any command reads: blocks of every run, of the newest ones, and the runs."""
    with Results(path, notes.append) as results:
        found: list[Measurement] = [*results.all(), *results.latest(), *results.of_label("nightly")]
        for number in range(RUNS):
            found += results.blocks(f"r{number}")
        return [*map(repr, found), *map(repr, results.runs())]
