"""row.json: what the archive of a row says of it."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

from buildmatrix.documents.verdicts import StatusWord


class RepeatedBlock(TypedDict):
    """A block in a row's archive: what all of them share stands once, in the document."""

    model: str
    threads: int
    passes: int
    status: StatusWord
    block: int
    round: int
    sentinel: bool
    samples_ns: list[int]
    first_pass_ns: int | None
    instructions: int | None
    peak_rss_kib: int | None
    max_rel_error: float | None
    void_reason: str
    series: str
    taken_at: str
    environment: dict[str, Any]


class RepeatedRow(TypedDict):
    """A batch size in a row's archive."""

    batch: int
    status: StatusWord
    reason: str
    mean_ms_per_image: float | None
    instructions_per_image: float | None
    max_rel_error: float | None
    peak_rss_kib: int | None
    blocks: list[RepeatedBlock]


class Rerun(TypedDict):
    """`row.json` in the archive that `inv report --bundle` writes: what was measured, on what."""

    version: Literal[1]
    run: str
    cell: str
    bundle: str
    emulated: bool
    device: dict[str, Any]
    facts: dict[str, Any]
    tolerance: float
    step: float  # that the tolerance is in: of a quantized output; 0: it is a relative error
    settings: dict[str, Any]
    order: list[int]
    rows: list[RepeatedRow]
