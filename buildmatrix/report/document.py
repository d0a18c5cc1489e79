"""Rows as a JSON document and as CSV: every figure and every raw sample."""

from __future__ import annotations

import csv as csv_format
import io
from dataclasses import asdict
from typing import TYPE_CHECKING

from buildmatrix.nouns import INSTRUCTIONS, TIME, Measurement, Status
from buildmatrix.printable import printable
from buildmatrix.summary import CONFIDENCE, Row, spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROW_FIELDS = (
    "cell",
    "device",
    "emulated",
    "batch",
    "threads",
    "passes",
    "status",
    "mean_ms_per_image",
    "median_ms_per_image",
    "quartiles_ms_per_image",
    "interval_ms_per_image",
    "blocks",
    "void_blocks",
    "samples_ns",
    "instructions_per_image",
    "joules_per_image",
    "watts",
    "power_of",
    "peak_rss_kib",
    "max_rel_error",
    "right",
    "held_out",
    "void_reason",
    "run",
    "taken_at",
    "bundle",
    "series",
)
BLOCK_FIELDS = (
    "run",
    "block",
    "round",
    "sentinel",
    "cell",
    "device",
    "emulated",
    "batch",
    "threads",
    "passes",
    "status",
    "void_reason",
    "mean_ms_per_image",
    "samples_ns",
    "first_pass_ns",
    "instructions_per_image",
    "peak_rss_kib",
    "max_rel_error",
    "taken_at",
    "bundle",
    "series",
)


def document(
    rows: Sequence[Row],
    *,
    model_name: str,
    parameters: int,
    sentinels: Sequence[Measurement] = (),
    per: str = TIME.per,
) -> dict[str, object]:
    """The `report` document, version 1: a row for each cell and batch, and every block behind it.

    `blocks` holds all raw samples, those of void blocks and sentinels too. `per` says what a
    figure is of.
    """
    chosen = [row for row in rows if row.first.model == model_name]
    blocks = [*(block for row in chosen for block in row.blocks), *sentinels]
    return {
        "version": 1,
        "model": {"name": model_name, "parameters": parameters},
        "units": {
            f"mean_{TIME.name}": {"unit": f"{TIME.counted} {per}", "better": "less"},
            INSTRUCTIONS.name: {"unit": f"{INSTRUCTIONS.counted} {per}", "better": "less"},
            "joules_per_image": {"unit": f"joules {per}", "better": "less"},
            "peak_rss_kib": {"unit": "KiB of memory", "better": "less"},
            "max_rel_error": {"unit": "relative error against the golden output", "better": "less"},
            "right": {"unit": "pictures of those that were held out", "better": "more"},
        },
        "confidence": CONFIDENCE,
        "rows": [_row_fields(row) | _layers(row) for row in chosen],
        "blocks": [_block_fields(block) for block in blocks],
    }


def csv(rows: Iterable[Row]) -> str:
    """One line for each row and the fields of the document; lists are separated by spaces."""
    text = io.StringIO()
    writer = csv_format.DictWriter(text, ("model", *ROW_FIELDS), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {"model": _flat(row.first.model)} | {k: _flat(v) for k, v in _row_fields(row).items()}
        )
    return text.getvalue()


def _flat(value: object) -> object:
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    if isinstance(value, str):
        return _no_formula(value)
    return str(value).lower() if isinstance(value, bool) else value


def _no_formula(text: str) -> str:
    """A field that a spreadsheet shows: one that begins like a formula is quoted (OWASP)."""
    shown = printable(text)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@", "\t")) else shown


def _row_fields(row: Row) -> dict[str, object]:
    first, figures = row.first, spread(row)
    fields = {name: getattr(first, name, None) for name in ROW_FIELDS} | {
        "status": row.status.value,
        "mean_ms_per_image": row.mean_ms_per_image,
        "median_ms_per_image": figures.median if figures else None,
        "quartiles_ms_per_image": figures.quartiles if figures else None,
        "interval_ms_per_image": figures.interval if figures else None,
        "blocks": len(row.used),
        "void_blocks": sum(block.status is Status.VOID for block in row.blocks),
        "samples_ns": list(row.samples_ns),
        "instructions_per_image": row.instructions_per_image,
        "joules_per_image": row.joules_per_image,
        "watts": row.watts,
        "power_of": row.first.environment.get("power_of") or "",
        "peak_rss_kib": row.peak_rss_kib,
        "max_rel_error": row.max_rel_error,
        "right": row.right.count if row.right else None,
        "held_out": row.right.of if row.right else None,
        "void_reason": row.reason,
    }
    return {name: fields[name] for name in ROW_FIELDS}


def _layers(row: Row) -> dict[str, object]:
    """What the stack told of its layers, where it was asked."""
    layers = [asdict(one) for one in row.layers]
    return {"layers": layers} if layers else {}


def _block_fields(block: Measurement) -> dict[str, object]:
    return {name: getattr(block, name) for name in BLOCK_FIELDS} | {
        "status": block.status.value,
        "samples_ns": list(block.samples_ns),
    }
