"""Blocks of one cell at one batch size, put together: one row of a table.

Nothing is averaged that is not right: void blocks stay beside the row with their reason and add
nothing to it, and one wrong or failed block takes the row's time away.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from buildmatrix.bench.steady import Drift, drift
from buildmatrix.conditions import Conditions, conditions, mapping
from buildmatrix.nouns import (
    INSTRUCTIONS,
    TIME,
    LayerFigures,
    Measurement,
    Metric,
    Right,
    Status,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

# The first of these that any block has is the row's; only then may a block that is OK speak.
WORST_FIRST = (
    Status.WRONG,
    Status.FAILED,
    Status.OOM,
    Status.OK,
    Status.VOID,
    Status.SKIPPED,
)
CONFIDENCE = 0.95
FEWEST_READINGS = 3  # of a meter, for a mean
FEWEST = 5  # blocks: an interval from fewer holds the true mean too seldom (docs/statistics.md)
RESAMPLES = 5000
SEED = 2017  # of the bootstrap: the same samples give the same interval on every machine


@dataclass(frozen=True, slots=True)
class Row:
    """All blocks of one cell at one batch size in one run. Times are ms an image."""

    status: Status
    blocks: tuple[Measurement, ...]  # sentinels apart, void ones included; never empty

    @property
    def first(self) -> Measurement:
        return self.blocks[0]

    @property
    def cell(self) -> str:
        return self.first.cell

    @property
    def batch(self) -> int:
        return self.first.batch

    @property
    def run(self) -> str:
        return self.first.run

    @property
    def emulated(self) -> bool:
        return self.first.emulated

    @property
    def used(self) -> tuple[Measurement, ...]:
        """The blocks that count; empty unless the row's status is OK."""
        if self.status is not Status.OK:
            return ()
        return tuple(block for block in self.blocks if block.status is Status.OK)

    @property
    def conditions(self) -> Conditions:
        """Of the first block that counts; of the first one where none does."""
        return conditions((self.used or self.blocks)[0])

    @property
    def reason(self) -> str:
        """Why there is no time; empty when there is one."""
        if self.status is Status.OK:
            return ""
        reasons = [b.void_reason for b in self.blocks if b.status is self.status]
        counted = [
            f"{text} ({n} blocks)" if n > 1 else text for text, n in Counter(reasons).items()
        ]
        return "; ".join(counted)

    @property
    def samples_ns(self) -> tuple[int, ...]:
        """Every sample that counts, in the order taken; one per pass, whole batch."""
        return tuple(sample for block in self.used for sample in block.samples_ns)

    @property
    def mean_ms_per_image(self) -> float | None:
        """The study's figure: the mean over all passes that count."""
        samples = self.samples_ns
        return sum(samples) / len(samples) / self.batch / 1e6 if samples else None

    @property
    def instructions_per_image(self) -> float | None:
        counts = [b.instructions_per_image for b in self.used]
        known = [count for count in counts if count is not None]
        return sum(known) / len(known) if known and len(known) == len(counts) else None

    @property
    def watts(self) -> float | None:
        """The mean of all readings of the board's meter during the passes that count; None where
        there are fewer than FEWEST_READINGS."""
        readings = [watt for block in self.used for watt in _watts(block)]
        return sum(readings) / len(readings) if len(readings) >= FEWEST_READINGS else None

    @property
    def joules_per_image(self) -> float | None:
        """Watts for as long as an image takes."""
        watts, ms = self.watts, self.mean_ms_per_image
        return watts * ms / 1e3 if watts is not None and ms is not None else None

    @property
    def peak_rss_kib(self) -> int | None:
        return max((b.peak_rss_kib for b in self.blocks if b.peak_rss_kib), default=None)

    @property
    def max_rel_error(self) -> float | None:
        errors = [b.max_rel_error for b in self.blocks if b.max_rel_error is not None]
        return max(errors, default=None)

    @property
    def metric(self) -> Metric:
        """What this row is compared by: a time, but under emulation executed instructions."""
        return INSTRUCTIONS if self.emulated else TIME

    @property
    def right(self) -> Right | None:
        """Of the pictures that were held out; the first round tells it, and only that."""
        counts = self._told("held_out")
        count, of = counts.get("right"), counts.get("of")
        return Right(count, of) if isinstance(count, int) and isinstance(of, int) and of else None

    @property
    def layers(self) -> tuple[LayerFigures, ...]:
        """What each layer takes, where the stack was asked and told it."""
        answer = self._told("layers")
        passes, layers = answer.get("passes"), answer.get("rows")
        if not isinstance(layers, list) or not isinstance(passes, int) or not passes:
            return ()
        images = passes * self.batch
        return tuple(
            LayerFigures(name, ns / images / 1e6, None if count is None else count / images)
            for name, ns, count in layers
        )

    @property
    def silence(self) -> str:
        """Why the stack told nothing of its layers; empty where it did, or was not asked."""
        return str(self._told("layers").get("silent") or "")

    def _told(self, what: str) -> Mapping[str, object]:
        """What a block told beside its times; the first that did is the one that was asked."""
        of_blocks = (mapping(block.environment.get(what)) for block in self.used)
        return next(filter(None, of_blocks), {})

    def figures(self, metric: Metric) -> tuple[float, ...]:
        """One figure for each block that counts; blocks, not passes, are independent samples."""
        if metric is TIME:
            figures = [b.mean_ms_per_image for b in self.used]
        else:
            figures = [b.instructions_per_image for b in self.used]
        return tuple(figure for figure in figures if figure is not None)


@dataclass(frozen=True, slots=True)
class Spread:
    """How the figures of a row are distributed, in ms an image."""

    median: float
    quartiles: tuple[float, float]
    interval: tuple[float, float] | None  # bootstrap, of the mean over blocks; None below FEWEST


def _watts(block: Measurement) -> Iterable[float]:
    readings = block.environment.get("watts")
    return readings if isinstance(readings, list) else ()


def rows(measurements: Iterable[Measurement]) -> tuple[Row, ...]:
    """One row for each run, device, cell, batch size and thread count, in order of appearance."""
    groups: dict[tuple[object, ...], list[Measurement]] = {}
    for block in measurements:
        if not block.sentinel:
            board = (block.device, block.emulated)
            key = (block.run, *board, block.model, block.cell, block.batch, block.threads)
            groups.setdefault(key, []).append(block)
    return tuple(Row(_status(blocks), tuple(blocks)) for blocks in groups.values())


def spread(row: Row) -> Spread | None:
    """Median and quartiles over passes, and the 95 % interval of the mean over blocks.

    The interval resamples blocks, because passes of one process are not independent of each
    other. None without a time.
    """
    import numpy as np

    if not row.samples_ns:
        return None
    times = np.array(row.samples_ns) / row.batch / 1e6
    low, median, high = (float(value) for value in np.percentile(times, (25, 50, 75)))
    interval = interval_of_mean(np.array(row.figures(TIME)))
    return Spread(median, (low, high), interval)


def wide(rows: Iterable[Row], until: float) -> tuple[Row, ...]:
    """The rows whose mean is not yet known to `until`: half of its 95 % interval, relative to it.

    Of the figure that the row is compared by. A row that has none is not waited for.
    """
    import numpy as np

    still_wide = []
    for row in rows:
        figures = np.array(row.figures(row.metric))
        if not len(figures):
            continue
        interval = interval_of_mean(figures)
        if interval is None or (interval[1] - interval[0]) / 2 > until * figures.mean():
            still_wide.append(row)
    return tuple(still_wide)


def drift_of(sentinels: Iterable[Measurement]) -> Drift | None:
    """How the board moved during a run, by that run's sentinels; None when it had none."""
    blocks = tuple(sorted(sentinels, key=lambda block: block.block))
    if not blocks:
        return None
    row = Row(Status.OK, blocks)
    return drift(row.figures(row.metric))


def threads_text(count: int) -> str:
    """A number of threads in words, as titles have it.

    >>> threads_text(1), threads_text(4)
    ('1 thread', '4 threads')
    """
    return "1 thread" if count == 1 else f"{count} threads"


def time_text(ms: float) -> str:
    """Milliseconds to a hundredth, and less than one to four significant digits.

    >>> time_text(40.123), time_text(0.0012345)
    ('40.12', '0.001234')
    """
    digits = 3 - math.floor(math.log10(ms)) if 0 < ms < 1 else 2
    return f"{ms:.{digits}f}"


def millions_text(count: float) -> str:
    """A count in millions to a tenth, and less than one million to four significant digits.

    >>> millions_text(83_512_000), millions_text(33_104)
    ('83.5', '0.03310')
    """
    millions = count / 1e6
    return f"{millions:.1f}" if millions >= 1 or not millions else time_text(millions)


def interval_of_mean(figures: NDArray[np.float64]) -> tuple[float, float] | None:
    """The 95 % interval of the mean of one row's figures, by block; None below FEWEST blocks."""
    import numpy as np

    if len(figures) < FEWEST:
        return None
    cut = tail(len(figures))
    low, high = np.quantile(resampled_means(figures), (cut, 1 - cut))
    return float(low), float(high)


def resampled_means(figures: NDArray[np.float64], *, stream: int = 0) -> NDArray[np.float64]:
    """Bootstrap: the means of RESAMPLES resamples of the figures of one row or of several.

    Shape (blocks,) gives (RESAMPLES,), and (rows, blocks) gives (RESAMPLES, rows). Samples that
    are compared with each other take different streams.
    """
    centre = figures.mean(axis=-1)  # so that equal figures have equal means to the last bit
    away = (figures - centre[..., None]).T
    means: NDArray[np.float64] = centre + _weights(len(away), stream) @ away
    return means


def tail(blocks: int) -> float:
    """Share of resampled means to cut on each side for an interval of CONFIDENCE.

    The plain percentile interval is too narrow for few blocks; this one is as wide as Student's t
    would be (the expanded percentile interval of Hesterberg, What Teachers Should Know About the
    Bootstrap, 2015).
    """
    from scipy import special

    quantile = special.stdtrit(blocks - 1, (1 - CONFIDENCE) / 2)
    return float(special.ndtr(quantile * math.sqrt(blocks / (blocks - 1))))


@lru_cache(maxsize=8)
def _weights(blocks: int, stream: int) -> NDArray[np.float64]:
    """How much each block weighs in each resample; the same on every call."""
    import numpy as np

    rng = np.random.default_rng((SEED, stream))
    return rng.multinomial(blocks, np.full(blocks, 1 / blocks), RESAMPLES) / blocks


def _status(blocks: Sequence[Measurement]) -> Status:
    there = {block.status for block in blocks}
    return next(status for status in WORST_FIRST if status in there)
