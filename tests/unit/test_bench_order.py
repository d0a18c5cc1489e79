"""The order of a run: complete rounds between sentinels, drawn from the seed; what is retaken."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix.bench.order import Block, further, order, plan_lines, plan_text, retakes
from buildmatrix.bench.request import Entrant, Request, read_request, request_of, run_files, run_id
from buildmatrix.boards.measuring import narrowing
from buildmatrix.errors import BenchError
from buildmatrix.nouns import Measurement, Status

REQUEST = Request(
    run="r1",
    model="face-cnn",
    entrants=tuple(Entrant(c, c * 64) for c in "abc"),
    batches=(1, 2, 4),
    passes=3,
    warmup=1,
    threads=2,
    seed=7,
    rounds=3,
)

requests = st.builds(
    lambda cells, batches, seed, rounds: replace(
        REQUEST,
        entrants=tuple(Entrant(c, "0" * 64) for c in cells),
        batches=tuple(batches),
        seed=seed,
        rounds=rounds,
    ),
    st.lists(st.sampled_from([f"cell{n}" for n in range(6)]), min_size=1, unique=True),
    st.lists(st.integers(1, 512), min_size=1, max_size=6),
    st.integers(0, 2**32),
    st.integers(1, 4),
)


@given(requests)
def test_every_round_is_complete_and_stands_between_sentinels(request: Request) -> None:
    blocks = order(request)
    assert [b.index for b in blocks] == list(range(len(blocks)))
    turns = {(e.cell, batch) for e in request.entrants for batch in request.batches}
    sentinels = [b for b in blocks if b.sentinel]
    assert {(b.cell, b.batch) for b in sentinels} == {
        (request.entrants[0].cell, min(request.batches))
    }
    assert [b.round for b in sentinels] == [0, *range(request.rounds)]
    assert blocks[0].sentinel
    rounds = [list(g) for sentinel, g in groupby(blocks, lambda b: b.sentinel) if not sentinel]
    assert len(rounds) == request.rounds
    for number, found in enumerate(rounds):
        assert {b.round for b in found} == {number}
        assert sorted((b.cell, b.batch) for b in found) == sorted(turns)


@given(requests)
def test_the_first_round_ascends_for_every_cell(request: Request) -> None:
    first = [b for b in order(request) if b.round == 0 and not b.sentinel]
    for entrant in request.entrants:
        batches = [b.batch for b in first if b.cell == entrant.cell]
        assert batches == sorted(batches)


@given(requests)
def test_the_order_comes_from_the_seed_and_is_what_the_agent_reads(request: Request) -> None:
    assert order(request) == order(replace(request, run="r9", owner="x", passes=9))
    lines = [line.split() for line in plan_text(request).splitlines()]
    assert [(int(i), int(r), role == "sentinel", c, int(b)) for i, r, role, c, b, *_ in lines] == [
        (b.index, b.round, b.sentinel, b.cell, b.batch) for b in order(request)
    ]
    assert {" ".join(line[5:]) for line in lines} == {"3 1 2 7200"}


def test_seeds_and_rounds_differ() -> None:
    assert order(REQUEST) != order(replace(REQUEST, seed=8))
    shuffled = [
        [(b.cell, b.batch) for b in order(REQUEST) if b.round == number and not b.sentinel]
        for number in (1, 2)
    ]
    assert shuffled[0] != shuffled[1]


def test_the_plan_as_text() -> None:
    small = replace(REQUEST, entrants=REQUEST.entrants[:1], batches=(2, 1), rounds=1)
    assert plan_text(small).splitlines() == [
        "0 0 sentinel a 1 3 1 2 7200",
        "1 0 cell a 1 3 1 2 7200",
        "2 0 cell a 2 3 1 2 7200",
        "3 0 sentinel a 1 3 1 2 7200",
    ]
    assert len(run_files(REQUEST, plan_text(REQUEST))) < 100_000


# ---- retakes


def measured(request: Request, *, void: float, seed: int) -> list[Measurement]:
    """A finished run, in which that share of the blocks was disturbed."""
    rng = random.Random(seed)
    return [row(b.index, b.round, b.cell, b.batch, b.sentinel, void, rng) for b in order(request)]


def row(
    index: int, number: int, cell: str, batch: int, sentinel: bool, void: float, rng: random.Random
) -> Measurement:
    status = Status.VOID if rng.random() < void else Status.OK
    return Measurement(
        "r1",
        cell,
        "pi3",
        False,
        "face-cnn",
        batch,
        2,
        3,
        status,
        block=index,
        round=number,
        sentinel=sentinel,
    )


@given(requests, st.integers(0, 3), st.integers(0, 99))
def test_void_blocks_are_retaken_until_none_is_lacking_or_the_rounds_are_used_up(
    request: Request, budget: int, seed: int
) -> None:
    request = replace(request, retakes=budget)
    rows = measured(request, void=0.4, seed=seed)
    for used in range(budget + 1):
        good = [(r.cell, r.batch) for r in rows if r.status is Status.OK and not r.sentinel]
        lacking = [
            (e.cell, batch)
            for e in request.entrants
            for batch in sorted(set(request.batches))
            for _ in range(request.rounds - good.count((e.cell, batch)))
        ]
        again = retakes(rows, request)
        if not lacking or used == budget:
            assert again == ()
            return
        assert again == retakes(rows[::-1], request)
        assert sorted((b.cell, b.batch) for b in again[:-1]) == sorted(lacking)
        assert again[-1] == replace(order(request)[0], index=again[-1].index, round=again[0].round)
        assert [b.index for b in again] == list(range(len(rows), len(rows) + len(again)))
        assert {b.round for b in again} == {request.rounds + used}
        assert plan_lines(request, again).count("\n") == len(again)
        rng = random.Random(seed + used)
        rows += [row(b.index, b.round, b.cell, b.batch, b.sentinel, 0.4, rng) for b in again]


@pytest.mark.parametrize("status", [Status.WRONG, Status.FAILED, Status.OOM])
def test_a_row_that_has_no_time_anyway_is_not_retaken(status: Status) -> None:
    rows = measured(REQUEST, void=0, seed=1)
    spoilt = [
        replace(r, status={1: Status.VOID, 2: status}.get(r.round, Status.OK))
        if (r.cell, r.batch, r.sentinel) == ("b", 2, False)
        else r
        for r in rows
    ]
    assert retakes(spoilt, REQUEST) == ()


def test_a_disturbed_sentinel_and_a_skipped_block_are_not_retaken() -> None:
    rows = measured(REQUEST, void=0, seed=1)
    rows = [replace(r, status=Status.VOID) if r.sentinel else r for r in rows]
    rows = [replace(r, status=Status.SKIPPED) if r.batch == 4 else r for r in rows]
    assert retakes(rows, REQUEST) == ()


# ---- the request


def test_a_request_survives_the_journey() -> None:
    request = replace(REQUEST, owner="me@desk", wireless="off", governor=False, tool="0.2")
    assert read_request(json.dumps(asdict(request))) == request


@pytest.mark.parametrize(
    ("version", "words", "way_out"),
    [
        (1, "begun by an older buildmatrix, 9.0", "inv bench --cancel"),
        (6, "started by buildmatrix 9.0", "a newer one"),
    ],
)
def test_another_version_of_the_request_is_refused(version: int, words: str, way_out: str) -> None:
    text = json.dumps(asdict(replace(REQUEST, version=version, tool="9.0")) | {"strange": 1})
    with pytest.raises(BenchError) as caught:
        read_request(text)
    assert words in caught.value.brief
    assert way_out in caught.value.hint


IN_5 = ("cores", "layers")
IN_4 = ("settle", "power", "power_of", *IN_5)
ADDED = {  # since a version
    2: ("until", "at_most", "cool_down", "max_celsius", *IN_4),
    3: IN_4,
    4: IN_5,
}


@pytest.mark.parametrize("version", ADDED)
def test_a_run_that_a_version_before_began_is_collected_and_measured_alike(version: int) -> None:
    kept = asdict(replace(REQUEST, version=version)).items()
    text = json.dumps({key: value for key, value in kept if key not in ADDED[version]})
    request = read_request(text)
    assert request == replace(REQUEST, version=version)
    assert request.harness == REQUEST.harness == 2
    assert REQUEST.version == 5


def test_a_strange_field_of_a_request_is_named_and_the_run_can_still_be_collected() -> None:
    with pytest.raises(BenchError) as caught:
        read_request(json.dumps(asdict(REQUEST) | {"strange": 1}))
    assert "strange" in (caught.value.details or "")
    assert "collect it with the version that began it" in caught.value.hint


@pytest.mark.parametrize(
    "change", [{"version": 6}, {"strange": 1}, {"version": "2"}, {"rounds": "x"}, {"entrants": 3}]
)
def test_a_stored_run_of_a_newer_buildmatrix_is_told_in_words(change: dict[str, object]) -> None:
    with pytest.raises(BenchError) as caught:
        request_of(asdict(replace(REQUEST, run="r1", tool="9.0")) | change)
    assert caught.value.brief == "run r1 was asked for by another buildmatrix, 9.0"
    assert caught.value.hint == "use that version, or a newer one"


@pytest.mark.parametrize("stored", [{}, {"version": 1}, {"version": None, "entrants": []}])
def test_a_stored_run_without_a_request_is_told_in_words(stored: dict[str, object]) -> None:
    with pytest.raises(BenchError, match="was asked for by another buildmatrix"):
        request_of(stored)


def test_a_run_is_named_by_its_moment() -> None:
    assert run_id(datetime(2026, 11, 20, 19, 5, tzinfo=UTC), "c0ffee") == "20261120T190500Z-c0ffee"


def _measured(block: Block) -> Measurement:
    return replace(
        Measurement("r1", block.cell, "pi3", False, "face-cnn", block.batch, 2, 3, Status.OK),
        block=block.index,
        round=block.round,
        sentinel=block.sentinel,
    )


def test_a_further_round_is_of_the_wide_rows_that_may_have_one() -> None:
    request = replace(REQUEST, until=0.01, at_most=4)
    done = [_measured(block) for block in order(request)]
    more = further(done, request, [("a", 1), ("b", 4)])
    assert {(b.cell, b.batch) for b in more if not b.sentinel} == {("a", 1), ("b", 4)}
    assert [b.index for b in more] == list(range(len(done), len(done) + 3))
    assert {b.round for b in more} == {3}
    assert more[-1].sentinel
    again = [*done, *map(_measured, more)]
    assert further(again, request, [("a", 1), ("b", 4)]) == ()  # four turns are what it may have
    wrong = [replace(done[1], cell="c", batch=1, status=Status.WRONG), *done]
    assert further(wrong, request, [("c", 1)]) == ()


def test_only_who_asked_for_narrow_intervals_gets_a_further_round() -> None:
    request = replace(REQUEST, until=0.01, at_most=9, rounds=8)
    done = [
        replace(_measured(b), samples_ns=(50_000_000 + (b.round if b.cell == "a" else 0) * 10**7,))
        for b in order(request)
    ]
    more = narrowing(done, request)
    assert {b.cell for b in more} == {"a"}
    assert narrowing(done, REQUEST) == ()
    assert narrowing([*done, *map(_measured, more)], request) == ()
