"""Verdicts against synthetic noise of known truth: how often they err, and in which words.

`python -m tests.unit.test_compare` prints the rates that docs/statistics.md tells.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from buildmatrix.bench.steady import drift, two_speeds
from buildmatrix.compare import Comparison, Verdict, compare
from buildmatrix.errors import InputError
from buildmatrix.nouns import INSTRUCTIONS, TIME, Measurement, Status
from buildmatrix.summary import Row, rows
from buildmatrix.verdicts.comparing import Compared, regressions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Noise = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]

KEYS = [(cell, batch) for cell in ("caffe", "mxnet", "tf") for batch in range(1, 10)]
LEVELS = np.linspace(40, 100, len(KEYS))[:, None]  # ms an image, of each row
CHANGED = 13  # the row that is shifted, where one is

NOISE: dict[str, Noise] = {
    "normal, 0.5 %": lambda rng, shape: rng.normal(1, 0.005, shape),
    "normal, 2 %": lambda rng, shape: rng.normal(1, 0.02, shape),
    "normal, 5 %": lambda rng, shape: rng.normal(1, 0.05, shape),
    "heavy tails: Student's t, 3 degrees, 2 %": lambda rng, shape: (
        1 + 0.02 * rng.standard_t(3, shape)
    ),
    "skewed: gamma, 5 %": lambda rng, shape: 0.95 + rng.gamma(1, 0.05, shape),
    "2 %, and 1 block in 20 up to half slower": lambda rng, shape: (
        rng.normal(1, 0.02, shape)
        * np.where(rng.random(shape) < 0.05, rng.uniform(1.1, 1.5, shape), 1)
    ),
}


def block(
    cell: str = "caffe", batch: int = 1, ms: float = 40.0, threads: int = 4, **more: Any
) -> Measurement:
    """One block, of one pass where `more` has no samples."""
    fields: dict[str, Any] = {
        "emulated": False,
        "passes": 1,
        "status": Status.OK,
        "samples_ns": (round(ms * 1e6 * batch),),
    } | more
    return Measurement(
        run="night",
        cell=cell,
        device="pi3",
        model="face-cnn",
        batch=batch,
        threads=threads,
        **fields,
    )


def timed(figures: Iterable[float], cell: str = "caffe", batch: int = 1) -> Row:
    return Row(Status.OK, tuple(block(cell, batch, ms) for ms in figures))


def counted(counts: Iterable[float | None], threads: int = 1) -> Row:
    """A row of an emulated board: instructions an image."""
    return Row(
        Status.OK,
        tuple(
            block(emulated=True, threads=threads, instructions=count and round(count))
            for count in counts
        ),
    )


def ended(status: Status, reason: str) -> Row:
    return Row(status, (block(status=status, void_reason=reason, samples_ns=()),))


def table(figures: NDArray[np.float64]) -> list[Row]:
    """27 rows: 3 cells at 9 batch sizes."""
    return [
        timed(row, cell, batch)
        for (cell, batch), row in zip(KEYS, (LEVELS * figures).tolist(), strict=True)
    ]


def simulated(
    noise: str, *, tables: int, blocks: int = 30, shift: float = 0.0
) -> tuple[Counter[Verdict], Counter[Verdict], int]:
    """Verdicts of the shifted row, of all others, and how many tables hold a false claim."""
    rng = np.random.default_rng(2017)
    changed: Counter[Verdict] = Counter()
    others: Counter[Verdict] = Counter()
    false = 0
    for _ in range(tables):
        base, new = NOISE[noise](rng, (27, blocks)), NOISE[noise](rng, (27, blocks))
        new[CHANGED] *= 1 + shift
        verdicts = [found.verdict for found in compare(table(base), table(new))]
        changed[verdicts.pop(CHANGED)] += 1
        others.update(verdicts)
        false += not {Verdict.BETTER, Verdict.WORSE}.isdisjoint(verdicts)
    return changed, others, false


def one(base: Row, new: Row, **settings: Any) -> Comparison:
    (found,) = compare([base], [new], **settings)
    return found


def noisy(level: float, *, blocks: int = 30, noise: float = 0.02, seed: int = 1) -> Row:
    return timed((level * np.random.default_rng(seed).normal(1, noise, blocks)).tolist())


@pytest.mark.slow
def test_nothing_changed_nothing_claimed() -> None:
    """At most 1 % of 400 tables may claim a change; none does, and every row is 'same'."""
    changed, others, false = simulated("normal, 2 %", tables=400)
    assert changed[Verdict.BETTER] + changed[Verdict.WORSE] + false <= 4
    assert changed[Verdict.SAME] + others[Verdict.SAME] >= 0.99 * 400 * 27


@pytest.mark.slow
@pytest.mark.parametrize("noise", [name for name in NOISE if name != "normal, 2 %"])
def test_noise_of_any_kind_is_no_change(noise: str) -> None:
    changed, _, false = simulated(noise, tables=40)
    assert changed[Verdict.BETTER] + changed[Verdict.WORSE] + false <= 1


@pytest.mark.slow
@pytest.mark.parametrize(("shift", "verdict"), [(0.05, Verdict.WORSE), (-0.05, Verdict.BETTER)])
@pytest.mark.parametrize("noise", ["normal, 2 %", "heavy tails: Student's t, 3 degrees, 2 %"])
def test_a_change_of_5_percent_is_found_and_no_other(
    noise: str, shift: float, verdict: Verdict
) -> None:
    changed, _, false = simulated(noise, tables=60, shift=shift)
    assert changed[verdict] >= 57
    assert false <= 1


@pytest.mark.slow
def test_p_is_of_the_whole_table() -> None:
    """The same blocks, 3 % apart, are a change alone and may be chance beside 26 other rows."""
    rng = np.random.default_rng(6)
    base, new = NOISE["normal, 2 %"](rng, (27, 12)), NOISE["normal, 2 %"](rng, (27, 12))
    new[CHANGED] *= 1.03
    found = compare(table(base), table(new))
    raw = [
        stats.mannwhitneyu(*sides, method="exact").pvalue for sides in zip(base, new, strict=True)
    ]
    assert [c.p for c in found] == pytest.approx(list(stats.false_discovery_control(raw)))
    (alone,) = compare(table(base)[CHANGED : CHANGED + 1], table(new)[CHANGED : CHANGED + 1])
    assert (alone.verdict, found[CHANGED].verdict) == (Verdict.WORSE, Verdict.UNKNOWN)


def test_ties_are_reckoned_with() -> None:
    """Exact p-values hold without ties only."""
    base, new = [40.0, 41.0] * 6, [40.0, 42.0] * 6
    by_scipy = stats.mannwhitneyu(new, base, method="asymptotic").pvalue
    assert one(timed(base), timed(new)).p == pytest.approx(by_scipy)


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [1, 2, 3, 5, 7])
def test_few_blocks_cannot_say_same(blocks: int) -> None:
    """In a table of 27 rows fewer than 8 blocks a side could not show one change."""
    changed, others, _ = simulated("normal, 2 %", tables=20, blocks=blocks, shift=0.05)
    assert set(changed) | set(others) == {Verdict.UNKNOWN}


def test_a_figure_that_never_moves_takes_nothing_from_the_other_rows() -> None:
    """SciPy from 1.18 on has no p-value for it; see findings/."""
    counts = [3e7] * 8
    times = [20.0 + block / 100 for block in range(8)]
    base = [timed(counts, "caffe", 1), timed(times, "mxnet", 1)]
    new = [timed(counts, "caffe", 1), timed([2 * time for time in times], "mxnet", 1)]
    still, moved = compare(base, new)
    assert (still.verdict, still.p) == (Verdict.SAME, 1)
    assert moved.p is not None
    assert moved.p < 0.001


@pytest.mark.slow
def test_too_few_blocks_are_told_with_the_number_needed() -> None:
    few = one(noisy(40, blocks=3), noisy(42, blocks=3, seed=2))
    assert few.words == "not enough data"
    assert few.reason == "blocks: 3 against 3; one row needs 5 on each side"
    base, new = (table(NOISE["normal, 2 %"](np.random.default_rng(1), (27, 7))) for _ in "12")
    assert compare(base, new)[0].reason == (
        "blocks: 7 against 7; a table of 27 rows needs 8 on each side"
    )


def test_a_wide_interval_is_told_with_the_number_needed() -> None:
    wide = one(noisy(40, noise=0.15), noisy(40, noise=0.15, seed=2))
    assert wide.verdict is Verdict.UNKNOWN
    assert wide.interval is not None
    assert wide.interval[0] < -0.05 or wide.interval[1] > 0.05
    low, high = (f"{bound:+.1%}" for bound in wide.interval)
    assert wide.reason.startswith(f"95% interval {low} to {high}: it takes ")
    assert wide.reason.endswith(" to tell")


@pytest.mark.slow
def test_a_sure_change_below_the_boards_noise_is_no_change() -> None:
    """500 blocks show 1.5 % beyond doubt; a board with 4 % noise says no more than 'same'."""
    base, new = noisy(40, blocks=500, noise=0.04), noisy(40.6, blocks=500, noise=0.04, seed=2)
    found = one(base, new)
    assert found.p is not None
    assert found.least is not None
    assert found.p < 0.01
    assert found.least == pytest.approx(0.04, rel=0.1)
    assert found.verdict is Verdict.SAME
    assert found.reason == f"a change, but below {found.least:.1%}, the least that counts here"


def test_a_sure_change_below_one_percent_is_no_change() -> None:
    found = one(noisy(40, noise=0.001), noisy(40.2, noise=0.001, seed=2))
    assert found.words == "same within 0.6%"
    assert found.reason == "a change, but below 1.0%, the least that counts here"


def test_a_few_far_blocks_do_not_turn_a_verdict() -> None:
    """All blocks but three are 3 % faster; those three make the mean 6 % slower."""
    rng = np.random.default_rng(1)
    base, new = 40 * rng.normal(1, 0.005, 30), 40 * 0.97 * rng.normal(1, 0.005, 30)
    new[:3] *= 1.9
    found = one(timed(base.tolist()), timed(new.tolist()))
    assert found.change is not None
    assert found.change > 0.05
    assert found.verdict is Verdict.UNKNOWN
    assert "blocks rank the other way" in found.reason


def test_a_drifting_board_claims_nothing_below_its_drift() -> None:
    """The second run slowed down by a fifth while it ran; the build is the same."""
    rng = np.random.default_rng(5)
    slowing = np.linspace(1, 1.2, 30)
    base, new = 40 * rng.normal(1, 0.01, 30), 40 * slowing * rng.normal(1, 0.01, 30)
    moved = drift((10 * np.linspace(1, 1.2, 31) * rng.normal(1, 0.01, 31)).tolist())
    assert moved is not None
    assert moved.flagged
    rows_ = timed(base.tolist()), timed(new.tolist())
    assert one(*rows_).verdict is Verdict.WORSE  # what it would say of the blocks alone
    beside = one(*rows_, drift=abs(moved.change))
    assert beside.verdict is Verdict.UNKNOWN
    assert beside.reason.endswith(f"and the board drifted by {abs(moved.change):.1%} in a run")
    assert one(noisy(40), noisy(40, seed=2), drift=0.12).verdict is Verdict.UNKNOWN
    assert one(noisy(40), noisy(52, seed=2), drift=0.12).verdict is Verdict.WORSE


def test_a_block_at_two_speeds_does_not_move_a_verdict() -> None:
    """One block in three was throttled half of its time; voided by its samples, it is no figure."""
    rng = np.random.default_rng(3)

    def blocks(*, throttled: bool) -> list[Measurement]:
        made = []
        for number in range(30):
            passes = 40e6 * rng.normal(1, 0.01, 40)
            passes[20:] *= 1.5 if throttled and number % 3 == 0 else 1
            samples = tuple(int(ns) for ns in passes)
            reason = two_speeds(samples)
            status = Status.VOID if reason else Status.OK
            made.append(block(samples_ns=samples, passes=40, status=status, void_reason=reason))
        return made

    (base,), (new,) = rows(blocks(throttled=False)), rows(blocks(throttled=True))
    assert (len(base.used), len(new.used)) == (30, 20)
    assert one(base, new).verdict is Verdict.SAME


@pytest.mark.parametrize(
    ("counts", "new", "words"),
    [
        ([41e6], [41e6 * 1.0005], "same within 0.1%"),
        ([41e6], [41e6], "same within 0.1%"),
        ([41e6], [41e6 * 1.0072], "same within 0.8%"),
        ([41e6], [41e6 * 1.02], "worse"),
        ([81e6], [41e6], "better"),
        ([41e6, 41.01e6, 41e6], [41.9e6, 41.9e6], "worse"),
        ([41e6, 43e6, 41e6], [41e6, 41e6, 41e6], "not enough data"),  # these vary like a time
    ],
)
def test_instructions_are_counts(counts: list[float], new: list[float], words: str) -> None:
    found = one(counted(counts), counted(new))
    assert (found.words, found.metric) == (words, INSTRUCTIONS)


def test_at_several_threads_one_count_proves_nothing() -> None:
    """A library that spins while it waits counts another number each time."""
    once = one(counted([41e6], threads=4), counted([48e6], threads=4))
    assert once.verdict is Verdict.UNKNOWN
    twice = one(counted([41e6] * 2, threads=4), counted([48e6] * 2, threads=4))
    assert twice.verdict is Verdict.WORSE


GOOD = timed([40.0] * 30)
WRONG = ended(Status.WRONG, "off by 4.0e-02, allowed is 1.0e-04")


@pytest.mark.parametrize(
    ("base", "new", "verdict", "reason"),
    [
        (GOOD, WRONG, Verdict.WORSE, "now WRONG: off by 4.0e-02, allowed is 1.0e-04"),
        (WRONG, GOOD, Verdict.BETTER, "was WRONG: off by 4.0e-02, allowed is 1.0e-04"),
        (GOOD, ended(Status.OOM, "out of memory"), Verdict.WORSE, "now oom: out of memory"),
        (GOOD, ended(Status.FAILED, "exit status 4"), Verdict.WORSE, "now failed: exit status 4"),
        (GOOD, ended(Status.VOID, "throttled"), Verdict.UNKNOWN, "new void: throttled"),
        (ended(Status.SKIPPED, "no room"), GOOD, Verdict.UNKNOWN, "base skipped: no room"),
        (
            WRONG,
            ended(Status.OOM, "no room"),
            Verdict.UNKNOWN,
            "base WRONG: off by 4.0e-02, allowed is 1.0e-04; new oom: no room",
        ),
        (
            counted([None]),
            counted([None]),
            Verdict.UNKNOWN,
            "both without a count of instructions; boards whose kind ends in -counted have one",
        ),
        (
            counted([None]),
            counted([41e6]),
            Verdict.UNKNOWN,
            "base without a count of instructions; boards whose kind ends in -counted have one",
        ),
    ],
)
def test_a_side_without_a_figure(base: Row, new: Row, verdict: Verdict, reason: str) -> None:
    found = one(base, new)
    assert (found.verdict, found.reason, found.change) == (verdict, reason, None)
    assert bool(regressions(Compared("a", "b", (found,)))) == (verdict is Verdict.WORSE)


def test_rows_of_one_side_only_are_told() -> None:
    base = [timed([40.0] * 9, "caffe"), timed([50.0] * 9, "tf")]
    new = [timed([60.0] * 9, "mxnet"), timed([40.0] * 9, "caffe")]
    found = [(c.cell, c.verdict, c.base, c.new) for c in compare(base, new)]
    assert found == [
        ("caffe", Verdict.SAME, 40.0, 40.0),
        ("tf", Verdict.GONE, 50.0, None),
        ("mxnet", Verdict.ADDED, None, 60.0),
    ]
    assert not regressions(Compared("a", "b", compare(base, new)))
    assert compare([], []) == ()


def test_an_emulated_run_never_meets_a_board() -> None:
    with pytest.raises(InputError, match="the base was emulated and the new run was not") as caught:
        compare([counted([41e6])], [GOOD])
    assert caught.value.hint == "compare two runs on boards, or two emulated ones"
    both = compare([counted([41e6]), GOOD], [GOOD])
    assert [found.verdict for found in both] == [Verdict.GONE, Verdict.SAME]


def test_a_row_that_stands_twice_is_refused() -> None:
    with pytest.raises(InputError, match="caffe, batch 1, stands twice on one side") as caught:
        compare([GOOD, GOOD], [GOOD])
    assert caught.value.hint == "compare one run with one run"


def test_a_verdict_is_told_in_one_sentence() -> None:
    base, new = timed(np.linspace(39.9, 40.1, 30)), timed(np.linspace(41.9, 42.1, 30))
    assert one(base, new).sentence == "caffe, batch 1: worse, 40 -> 42 ms an image (+5.0%)"
    assert one(GOOD, WRONG).sentence == (
        "caffe, batch 1: worse: now WRONG: off by 4.0e-02, allowed is 1.0e-04"
    )
    assert one(base, new).metric is TIME


figures = st.lists(st.floats(0.001, 1e5, allow_nan=False), min_size=1, max_size=40)


@given(base=figures, new=figures, moved=st.floats(0, 2))
def test_any_figures_have_a_verdict_that_their_means_bear_out(
    base: list[float], new: list[float], moved: float
) -> None:
    found = one(timed(base), timed(new), drift=moved)
    assert found.change is not None
    assert found.least is not None
    match found.verdict:
        case Verdict.WORSE:
            assert found.change >= found.least >= moved
        case Verdict.BETTER:
            assert -found.change >= found.least >= moved
        case Verdict.SAME:
            assert found.within is not None
            assert abs(found.change) + moved <= found.within + 1e-9 <= 0.05 + 2e-9
        case _:
            assert found.reason


@pytest.mark.slow
def test_a_run_against_itself_is_the_same_as_far_as_its_blocks_tell() -> None:
    run = table(NOISE["normal, 2 %"](np.random.default_rng(1), (27, 30)))
    for found in compare(run, run):
        assert found.verdict is Verdict.SAME
        assert found.within is not None
        assert 0.005 < found.within < 0.02


if __name__ == "__main__":
    for name in NOISE:
        for shift in (0.0, 0.03, 0.05, -0.05, 0.1):
            changed, others, false = simulated(name, tables=1000, shift=shift)
            sys.stdout.write(f"{name}; {shift:+.0%}: {dict(changed)}; {dict(others)}; {false}\n")


def test_figures_of_a_librarys_calls_say_a_call() -> None:
    from buildmatrix.verdicts.comparing import Compared, document, spoken
    from buildmatrix.workload import Calls

    base, new = timed(np.linspace(39.9, 40.1, 30)), timed(np.linspace(41.9, 42.1, 30))
    found = (one(base, new),)
    calls = spoken(Compared("a", "b", found), Calls("dot", "", {}))
    assert {row["unit"] for row in document(calls)["comparisons"]} == {"ms a call"}
    assert "ms a call" in calls.comparisons[0].sentence
