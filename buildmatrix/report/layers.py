"""What each layer of a network takes in one cell, by the stack's own word, in one form for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.summary import threads_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from buildmatrix.nouns import LayerFigures
    from buildmatrix.summary import Row


@dataclass(frozen=True, slots=True)
class Bar:
    """One layer: its figures and its share of the sum of all."""

    name: str
    ms: float
    million: float | None  # instructions; None: not counted
    share: float


@dataclass(frozen=True, slots=True)
class LayerTable:
    """The layers of one cell at one batch size and number of threads. Figures are of an image."""

    cell: str
    batch: int
    threads: int
    emulated: bool
    bars: tuple[Bar, ...]
    ms: float  # all layers together
    whole_ms: float  # a whole pass, timed without being asked for its layers
    million: float | None
    whole_million: float | None
    silence: str = ""  # why there are no layers, in words

    @property
    def title(self) -> str:
        return f"{self.cell}, batch {self.batch}, {threads_text(self.threads)}"

    @property
    def counted(self) -> bool:
        return self.million is not None

    @property
    def sum(self) -> str:
        """How the layers together compare with a whole pass, in words."""
        if self.million is not None and self.whole_million:
            share, whole = self.million / self.whole_million, self.whole_million
            return f"together {share:.1%} of a whole pass, {whole:.4g} million instructions"
        return f"together {self.ms / self.whole_ms:.1%} of a whole pass, {self.whole_ms:.4g} ms"


def layer_tables(rows: Iterable[Row]) -> tuple[LayerTable, ...]:
    """A table for each row whose stack was asked; one that told nothing has its words instead."""
    return tuple(_table(row) for row in rows if row.layers or row.silence)


def _table(row: Row) -> LayerTable:
    layers = row.layers
    ms, whole_ms = sum(one.ms_per_image for one in layers), row.mean_ms_per_image or 0.0
    counts = [one.instructions_per_image for one in layers]
    known = [count for count in counts if count is not None]
    counted = bool(known) and len(known) == len(counts)
    whole = row.instructions_per_image
    million = sum(known) / 1e6 if counted else None
    return LayerTable(
        cell=row.cell,
        batch=row.batch,
        threads=row.conditions.threads,
        emulated=row.emulated,
        bars=tuple(_bar(one, ms, million) for one in layers),
        ms=ms,
        whole_ms=whole_ms,
        million=million,
        whole_million=None if whole is None else whole / 1e6,
        silence=row.silence,
    )


def _bar(one: LayerFigures, ms: float, million: float | None) -> Bar:
    """Under emulation instructions decide how long a bar is, where they are counted."""
    count = one.instructions_per_image
    if million and count is not None:
        return Bar(one.name, one.ms_per_image, count / 1e6, count / 1e6 / million)
    share = one.ms_per_image / ms if ms else 0.0
    return Bar(one.name, one.ms_per_image, None if count is None else count / 1e6, share)
