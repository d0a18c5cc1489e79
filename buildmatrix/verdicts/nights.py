"""The nights that a night is held against: each row's own newest good one, and the last accepted.

Against the newest alone, a cell could lose half a percent a night for ever and never be told of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.compare.base import nearest_alike
from buildmatrix.records import read_record
from buildmatrix.verdicts import comparing, reporting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.summary import Row
    from buildmatrix.verdicts.comparing import Compared
    from buildmatrix.verdicts.reporting import RowsWithNotes


@dataclass(frozen=True, slots=True)
class GoodNight:
    """A night's run of one model that found nothing, or was accepted."""

    run: str
    accepted: bool  # by a person: the changes found that night are what is wanted


@dataclass(frozen=True, slots=True)
class Held:
    """A night beside earlier ones."""

    newest: Compared  # with each row's own newest good night
    accepted: Compared | None  # with the last accepted night; None where that is the same


def good_nights(workshop: Workshop, device: str, model: str) -> tuple[GoodNight, ...]:
    """That model's good nights on this board, newest first.

    In the order in which their runs were stored: a clock that stood wrong for a night would else
    make that one the newest for years.
    """
    records = [
        read_record(place / "night.json")
        for place in sorted(workshop.paths.nights.glob("*/"), reverse=True)
    ]
    good = [
        GoodNight(str(run["run"]), bool(record.get("accepted")))
        for record in records
        if record.get("good") and record.get("device") == device
        for run in record.get("runs", ())  # absent from a night of an older program
        if run["model"] == model
    ]
    with workshop.results() as results:
        stored = {run.id: place for place, run in enumerate(results.runs(device=device))}
    return tuple(sorted(good, key=lambda night: stored.get(night.run, len(stored))))


def held(
    workshop: Workshop, nights: Sequence[GoodNight], run: str, tonight: RowsWithNotes
) -> Held | None:
    """Tonight's rows beside those of good nights, newest first; None where there is none yet."""
    if not nights:
        return None
    accepted = next((at for at, night in enumerate(nights) if night.accepted), len(nights) - 1)
    since = nights[: accepted + 1]
    newest = _against(workshop, [night.run for night in nights], run, tonight)
    anchor = _against(workshop, [night.run for night in reversed(since)], run, tonight)
    runs = [{c.base_run for c in one.comparisons if c.base_run} for one in (newest, anchor)]
    return Held(newest, None if runs[0] == runs[1] else anchor)


def _against(
    workshop: Workshop, runs: Sequence[str], name: str, tonight: RowsWithNotes
) -> Compared:
    read: dict[str, RowsWithNotes] = {}

    def rows() -> Iterator[Sequence[Row]]:
        for run in runs:
            read[run] = comparing.run(workshop, run)
            yield read[run].rows

    base = nearest_alike(tonight.rows, rows())
    used = {row.run for row in base}
    before = reporting.joined(base, [of_run for run, of_run in read.items() if run in used])
    first = next((run for run in runs if run in used), runs[0])
    judged = comparing.compared_sides(
        before, tonight, first, name, between=comparing.between(workshop, tonight), any_kind=True
    )
    return comparing.spoken(judged, workshop.project.network)
