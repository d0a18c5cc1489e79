"""Measurements as a board or the emulator would give them, for tests of what is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from buildmatrix.nouns import Measurement, Status

RUN = "20261120T190500Z-c0ffee"
FORMAT = {"number_format": "float32", "tolerance": 1e-4}


def row(cell: str, batch: int, ms: float, **changes: Any) -> Measurement:
    made = Measurement(
        run=RUN,
        environment=FORMAT,
        cell=cell,
        device="pi3",
        emulated=False,
        model="face-cnn",
        batch=batch,
        threads=4,
        passes=2,
        status=Status.OK,
        max_rel_error=1e-6,
        peak_rss_kib=40000,
        samples_ns=(round(ms * 1e6 * batch) - 1000, round(ms * 1e6 * batch) + 1000),
        bundle="b" * 64,
        series="5" * 64,
        taken_at="2026-11-20T19:05:00+00:00",
    )
    changed = replace(made, **changes)
    timed = changed.status in (Status.OK, Status.VOID)
    return changed if timed else replace(changed, samples_ns=())


def emulated(cell: str, batch: int, ms: float, millions: float) -> Measurement:
    return row(
        cell,
        batch,
        ms,
        device="virtual",
        emulated=True,
        threads=1,
        instructions=round(millions * 2e6 * batch),
    )
