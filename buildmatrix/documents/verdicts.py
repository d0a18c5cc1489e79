"""report, bench, agree, compare, nightly, history: what the numbers say."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from buildmatrix.documents.estimating import Estimates

StatusWord = Literal["ok", "wrong", "oom", "failed", "void", "skipped"]


class ModelFacts(TypedDict):
    name: str
    parameters: int


class UnitRow(TypedDict):
    unit: str
    better: Literal["less", "more"]


class LayerRow(TypedDict):
    """One layer of a cell, by its stack's own name for it."""

    name: str
    ms_per_image: float
    instructions_per_image: float | None  # None: not counted


class ReportRow(TypedDict):
    """A cell at one batch size and thread count; times of void blocks are not in it."""

    cell: str
    device: str
    emulated: bool
    batch: int
    threads: int
    passes: int
    status: StatusWord
    mean_ms_per_image: float | None
    median_ms_per_image: float | None
    quartiles_ms_per_image: tuple[float, float] | None
    interval_ms_per_image: tuple[float, float] | None
    blocks: int
    void_blocks: int
    samples_ns: list[int]
    instructions_per_image: float | None
    joules_per_image: float | None
    watts: float | None  # during the passes that count
    power_of: str  # what the meter measures; empty: there is none
    peak_rss_kib: int | None
    max_rel_error: float | None
    right: int | None  # of the pictures that were held out; None: the cell was not asked
    held_out: int | None  # how many these are
    void_reason: str
    run: str
    taken_at: str
    bundle: str
    series: str
    layers: NotRequired[list[LayerRow]]  # where the stack was asked and told them


class BlockRow(TypedDict):
    """One turn of a cell at one batch size, with every raw sample."""

    run: str
    block: int
    round: int
    sentinel: bool
    cell: str
    device: str
    emulated: bool
    batch: int
    threads: int
    passes: int
    status: StatusWord
    void_reason: str
    mean_ms_per_image: float | None
    samples_ns: list[int]
    first_pass_ns: int | None
    instructions_per_image: float | None
    peak_rss_kib: int | None
    max_rel_error: float | None
    taken_at: str
    bundle: str
    series: str


class RunRow(TypedDict):
    id: str
    device: str
    emulated: bool
    label: str
    collected_at: str
    request: dict[str, Any]
    notes: list[str]


class Report(TypedDict):
    """`inv report`, and what `inv bench --collect` measured."""

    version: Literal[1]
    model: ModelFacts
    units: dict[str, UnitRow]
    confidence: float
    rows: list[ReportRow]
    blocks: list[BlockRow]
    runs: NotRequired[list[RunRow]]
    estimated: NotRequired[Estimates]  # `--estimated BOARD`; apart from what was measured


class DifferenceRow(TypedDict):
    one: str
    other: str
    relative: float | None  # None: not comparable
    at: int
    values: tuple[float, float]


class AgreedCell(TypedDict):
    cell: str
    number_format: str
    against_reference: DifferenceRow | None
    worst: DifferenceRow | None


class Agree(TypedDict):
    """`inv agree`: every output held against every other's and the reference."""

    version: Literal[1]
    model: str
    outputs: int
    answerer: str  # whose answer the reference is: reference, NumPy in float64; or LiteRT
    cells: list[AgreedCell]
    pairs: list[DifferenceRow]


class ComparisonRow(TypedDict):
    cell: str
    batch: int
    threads: int
    device: str
    metric: str
    unit: str
    base: float | None
    new: float | None
    change: float | None
    interval: tuple[float, float] | None
    p: float | None
    least: float | None
    p_board: float | None
    common: float | None
    verdict: str
    words: str
    reason: str
    differs: list[str]  # the conditions that are not alike
    remarks: list[str]
    base_run: str
    new_run: str


class Compare(TypedDict):
    """`inv compare`: the verdicts on what is new against its base."""

    version: Literal[1]
    base: str
    new: str
    notes: list[str]
    comparisons: list[ComparisonRow]


class NightVerdicts(TypedDict):
    """A run beside the last good night's, and beside the last accepted one's."""

    run: str
    compared_with: str
    comparisons: list[ComparisonRow]
    notes: list[str]
    accepted: str
    since_accepted: list[ComparisonRow]


class NightRun(NightVerdicts):
    model: str


class TroubleRow(TypedDict):
    code: int
    words: str


class Nightly(NightVerdicts):
    """`inv nightly`; what stands outside of `runs` is of the first model."""

    version: Literal[1]
    id: str
    device: str
    toolchains: dict[str, str]
    cells: dict[str, str]
    runs: list[NightRun]
    health: list[str]  # what of the board is not as on earlier nights
    troubles: list[TroubleRow]
    code: int


class HistoryNight(TypedDict):
    """One night's runs on one board; `good` is null where no night was written down of them."""

    id: str
    runs: list[str]
    at: str
    good: bool | None
    accepted: bool
    toolchains: dict[str, str]
    moved: float  # by how much everything on the board was above its level


class HistoryStep(TypedDict):
    """From one level to another; the night is the first on the new one."""

    night: str
    change: float  # relative, beside what the whole board did
    before: float
    after: float
    changed: list[str]  # what was not as the night before, in words
    accepted: str  # the first accepted night from then on; empty: none yet


class HistoryBreak(TypedDict):
    """From this night on not alike with what was before."""

    night: str
    words: list[str]


class HistoryFigure(TypedDict):
    night: str
    figure: float
    interval: tuple[float, float] | None
    bundle: str


class HistoryRow(TypedDict):
    cell: str
    model: str
    batch: int
    threads: int
    metric: str
    unit: str
    figures: list[HistoryFigure]
    gaps: dict[str, str]  # night -> why it has no figure
    steps: list[HistoryStep]
    breaks: list[HistoryBreak]


class HistoryBoard(TypedDict):
    device: str
    emulated: bool
    nights: list[HistoryNight]
    steps: list[HistoryStep]  # of everything on the board at once
    rows: list[HistoryRow]


class History(TypedDict):
    """`inv history`: every night's figure of every row, and the steps in it."""

    version: Literal[1]
    boards: list[HistoryBoard]


class BisectStep(TypedDict):
    version: str
    word: Literal["good", "bad", "unclear"]
    sentence: str
    run: str


class Bisect(TypedDict):
    """`inv bisect`: the first version that is worse, and what was measured on the way."""

    version: Literal[1]
    cell: str
    source: str
    last_good: str
    first_bad: str
    unclear: list[str]  # between the two: each may be the first bad one as well
    measurements: int
    steps: list[BisectStep]
