"""Many nights of one matrix: every figure on record, the steps in it, and what changed then.

Pure: rows of stored runs in, series with steps out, and pages made of them. `verdicts.histories`
reads the record. Steps are found by an exact search beside what the whole board did;
docs/statistics.md says how often they err.
"""

from __future__ import annotations

from buildmatrix.history.judge import judged
from buildmatrix.history.series import Board, History, Night, Point, Series, Step

__all__ = ["Board", "History", "Night", "Point", "Series", "Step", "judged"]
