"""A search among versions with a builder and a board in hand: build, deploy, measure, judge.

Every measurement is one run of the good version, the candidate and, the first time, the bad one,
in one random order, so that what the board does meanwhile falls on all alike. What was measured is
written down after each run: the same search goes on where it was broken off.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Protocol

from buildmatrix.bisect import Marker, Search, Word, judged, marker_of
from buildmatrix.boards import deploying, measuring
from buildmatrix.cachekey import digest
from buildmatrix.compare import compare
from buildmatrix.errors import InputError
from buildmatrix.pipeline.perform import build_all
from buildmatrix.pipeline.stored import shippable, stored
from buildmatrix.protocols import Note
from buildmatrix.records import read_record, write_record
from buildmatrix.summary import Row, rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from buildmatrix.boards.reach import Access
    from buildmatrix.compare import Comparison
    from buildmatrix.documents.verdicts import Bisect
    from buildmatrix.nouns import BoardAddress
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.protocols import Reporter
    from buildmatrix.settings import Settings

DEADLINE = 20 * 3600.0  # seconds that one measurement waits for the board


class Bench(Protocol):
    """Builds versions, measures them in one run, and compares the later ones with the first."""

    def __call__(self, versions: Sequence[str]) -> Measured: ...


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: each version but the first compared with the first; what was not built is absent."""

    run: str
    comparisons: Mapping[str, tuple[Comparison, ...]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One search: what is built in which versions, and where it is measured."""

    cell: str
    source: str
    versions: tuple[str, ...]  # from the good one to the bad one
    model: str
    board: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What one measurement said of one version."""

    version: str
    word: Word
    sentence: str  # its row in words
    run: str


@dataclass(frozen=True, slots=True)
class Bisected:
    """How a search ended."""

    last_good: str
    first_bad: str
    unclear: tuple[str, ...]  # between the two: each may be the first bad one as well
    taken: tuple[Taken, ...]
    measurements: int  # runs on the board, those of an earlier call included


def bisect(asked: Asked, bench: Bench, *, folder: Path, reporter: Reporter) -> Bisected:
    """The first bad one of `asked.versions`. Raises InputError where the bad one is no worse."""
    good, *_, bad = asked.versions
    record = _Record(folder, asked)
    search = Search(asked.versions, {one.version: one.word for one in record.taken})
    while (version := search.next) is not None:
        marker = record.marker
        run = bench([good, version, *((bad,) if marker is None else ())])
        if marker is None:
            marker = marker_of(run.comparisons.get(bad, ()))
            if marker is None:
                raise _no_worse(good, bad, run.comparisons.get(bad, ()))
        rows = run.comparisons.get(version, ())
        word = judged(rows, marker)
        row = marker.row(rows)
        words = row.sentence if row else "not built, or not measured"
        record.add(Taken(version, word, words, run.run), marker)
        search = search.knowing(version, word)
        reporter.emit(Note("info", f"{asked.source} {version}: {word}; {words}"))
    names = asked.versions
    unclear = tuple(one for one in search.unclear if search.words.get(one) == "unclear")
    return Bisected(
        names[search.good],
        names[search.bad],
        unclear,
        record.taken,
        len({one.run for one in record.taken}),
    )


def document(asked: Asked, bisected: Bisected) -> Bisect:
    """The `bisect` document, version 1."""
    return {
        "version": 1,
        "cell": asked.cell,
        "source": asked.source,
        "last_good": bisected.last_good,
        "first_bad": bisected.first_bad,
        "unclear": list(bisected.unclear),
        "measurements": bisected.measurements,
        "steps": [
            {"version": one.version, "word": one.word, "sentence": one.sentence, "run": one.run}
            for one in bisected.taken
        ],
    }


def _no_worse(good: str, bad: str, comparisons: Sequence[Comparison]) -> InputError:
    if not comparisons:
        return InputError(
            f"{bad} was not built, or not measured: nothing tells it from {good}",
            hint="the messages above say why; mend it, or name another bad version",
        )
    return InputError(
        f"{bad} is not worse than {good}: there is nothing to search for",
        details="\n".join(one.sentence for one in comparisons),
        hint="measure more rounds, or name other versions",
    )


class _Record:
    """The file of one search: what was taken, and the row by which good and bad are told apart."""

    def __init__(self, folder: Path, asked: Asked) -> None:
        what = [asked.cell, asked.source, *asked.versions, asked.model, asked.board]
        self._path = folder / f"{digest(what)[:16]}.json"
        record = read_record(self._path)
        self.taken = tuple(Taken(**one) for one in record.get("taken", ()))
        self.marker = Marker(**record["marker"]) if record.get("marker") else None

    def add(self, taken: Taken, marker: Marker) -> None:
        self.taken, self.marker = (*self.taken, taken), marker
        rows = [asdict(one) for one in self.taken]
        write_record(self._path, {"taken": rows, "marker": asdict(marker)})


@dataclass(frozen=True, slots=True)
class OnBoard:
    """A bench that builds with a workshop and measures on a board."""

    workshop: Workshop
    board: BoardAddress
    cells: Mapping[str, str]  # version -> the cell of it
    settings: Settings
    owner: str
    access: Access

    def __call__(self, versions: Sequence[str]) -> Measured:
        """Build what is missing of these versions, deploy and measure them in one run."""
        ids = [self.cells[version] for version in versions]
        shop = self.shop(ids)
        build_all(shop)
        means = deploying.Means(self.access, shop.store, shop.reporter)
        deploying.deploy_all(shippable(stored(shop).values()), self.board, means)
        lab = measuring.lab(shop)
        request = measuring.ask(lab, self.settings, self.owner)
        blocks = measuring.measure(lab, self.board, request, access=self.access, deadline=DEADLINE)
        measured = rows(blocks)
        good, *others = (tuple(row for row in measured if row.cell == one) for one in ids)
        names = versions[1:]
        comparisons = {
            name: compare(
                [_called(row, name) for row in good], [_called(r, name) for r in own], cells=True
            )
            for name, own in zip(names, others, strict=True)
            if own and good
        }
        return Measured(blocks[0].run if blocks else request.run, comparisons)

    def shop(self, ids: Sequence[str]) -> Workshop:
        """The workshop of these cells alone: a version that is not measured is not built."""
        project = self.workshop.project
        chosen = tuple(cell for one in ids for cell in project.cells if cell.id == one)
        works = project.graph.of(ids)
        return replace(self.workshop, project=replace(project, cells=chosen, graph=works))


def _called(row: Row, name: str) -> Row:
    """A row under another cell's name, so that two versions meet."""
    return Row(row.status, tuple(replace(block, cell=name) for block in row.blocks))
