"""Whether cells stand in the order of the study by what emulation counts: rank correlations.

`python -m tests.bench.stacks_order`: none of the study's six builds can be made here. KIN are the
nearest that were, by column, with millions of instructions of one image (docs/status.md).
"""

from __future__ import annotations

import sys
from statistics import correlation

from buildmatrix.report import study

KIN = {
    "tf-neon-vfpv4": ("tflite-neon-vfpv4", 60.2),
    "caffe-openblas": ("caffe-openblas-0.3.21", 83.5),
    "tf-vanilla": ("tflite-vanilla", 848.0),
}
OTHER_MACHINE = {"mxnet-openblas": ("mxnet-wheel-openblas-0.3.21", 41.4)}  # 64-bit ARM


def ranks(batch: int, kin: dict[str, tuple[str, float]]) -> float:
    """Spearman's rank correlation of the study's times at a batch size with instructions."""
    table = study()
    times = [table.value(batch, column).figure or 0.0 for column in kin]
    counts = [millions for _, millions in kin.values()]
    return correlation(_order(times), _order(counts))


def _order(figures: list[float]) -> list[int]:
    return [sorted(figures).index(figure) for figure in figures]


def main() -> None:
    for batch in study().batches:
        known = [c for c in OTHER_MACHINE if study().value(batch, c).figure is not None]
        line = f"batch {batch:3}: three columns {ranks(batch, KIN):5.2f}"
        if known:
            line += f", with MXNet's {ranks(batch, KIN | OTHER_MACHINE):5.2f}"
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
