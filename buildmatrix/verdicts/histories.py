"""The history of a project's figures: read from the record, told, written as a site."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from buildmatrix import __version__
from buildmatrix.history import Board, History, Night, Series, Step, judged
from buildmatrix.history.site import pages
from buildmatrix.records import read_record
from buildmatrix.results import Results
from buildmatrix.selector import matches_id
from buildmatrix.summary import Row, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from buildmatrix.documents import verdicts as documents
    from buildmatrix.nouns import Measurement, Run
    from buildmatrix.state import State

NIGHTLY = "nightly"  # the label of a night's runs


def history(
    paths: State,
    *,
    device: str | None = None,
    only: tuple[str, ...] = (),
    every_run: bool = False,
    on_damage: Callable[[str], None] = lambda _: None,
) -> History:
    """All that is on record of a board, or of every board: of nights, or with `every_run` of every
    run. Where no night is on record, every run is taken."""
    with Results(paths.results, on_damage) as results:
        every = every_run or not results.runs(device=device, label=NIGHTLY)
        label = None if every else NIGHTLY
        runs = results.runs(device=device, label=label)
        blocks = results.of_label(label)
    blocks = tuple(b for b in blocks if device in (None, b.device))
    cells = rows(b for b in blocks if not b.sentinel and matches_id(only, b.cell))
    return judged(tuple(_nights(paths, runs)), cells, _sentinels(blocks))


def _nights(paths: State, runs: Sequence[Run]) -> Iterator[Night]:
    """Runs, newest first, as nights in the order of time; those of one night are one."""
    records = [read_record(place / "night.json") for place in sorted(paths.nights.glob("*/"))]
    of_run: dict[str, Mapping[str, object]] = {
        str(run["run"]): record for record in records for run in record.get("runs", ())
    }
    nights: dict[str, Night] = {}
    for run in reversed(runs):
        record = of_run.get(run.id, {})
        name = str(record.get("id", run.id))
        there = nights.get(name)
        words = record.get("toolchains", {})
        nights[name] = Night(
            id=name,
            runs=(*there.runs, run.id) if there else (run.id,),
            at=there.at if there else run.collected_at,
            good=bool(record["good"]) if "good" in record else None,
            accepted=bool(record.get("accepted")),
            toolchains=dict(words) if isinstance(words, dict) else {},
        )
    yield from nights.values()


def _sentinels(blocks: Iterable[Measurement]) -> tuple[Row, ...]:
    """The sentinels of each run as rows, which tell what the board did."""
    of_run: dict[tuple[object, ...], list[Measurement]] = {}
    for block in blocks:
        if block.sentinel:
            of_run.setdefault((block.run, block.cell, block.batch, block.threads), []).append(block)
    right = ([b for b in blocks_of_row if b.status == "ok"] for blocks_of_row in of_run.values())
    return tuple(
        Row(blocks_of_row[0].status, tuple(blocks_of_row))
        for blocks_of_row in right
        if blocks_of_row
    )


def write(history: History, folder: Path) -> list[str]:
    """The site into a folder; the names written. Pages of an earlier one are written over."""
    folder.mkdir(parents=True, exist_ok=True)
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, buildmatrix {__version__}"
    names = []
    for name, text in pages(history, made=made):
        (folder / name).write_text(text, encoding="utf-8")
        names.append(name)
    return names


def document(history: History) -> documents.History:
    """The `history` document, version 1."""
    return {"version": 1, "boards": [_board(board) for board in history.boards]}


def _board(board: Board) -> documents.HistoryBoard:
    return {
        "device": board.device,
        "emulated": board.emulated,
        "nights": [
            {
                "id": night.id,
                "runs": list(night.runs),
                "at": night.at,
                "good": night.good,
                "accepted": night.accepted,
                "toolchains": dict(night.toolchains),
                "moved": moved,
            }
            for night, moved in zip(board.nights, board.moves, strict=True)
        ],
        "steps": [_step(board, step) for step in board.steps],
        "rows": [_row(board, one) for one in board.series],
    }


def _row(board: Board, one: Series) -> documents.HistoryRow:
    names = [night.id for night in board.nights]
    return {
        "cell": one.cell,
        "model": one.model,
        "batch": one.batch,
        "threads": one.threads,
        "metric": one.metric.name,
        "unit": one.metric.unit,
        "figures": [
            {
                "night": names[point.night],
                "figure": point.figure,
                "interval": point.interval,
                "bundle": point.bundle,
            }
            for point in one.points
        ],
        "gaps": {names[night]: why for night, why in one.gaps.items()},
        "steps": [_step(board, step) for step in one.steps],
        "breaks": [
            {"night": names[broken.night], "words": list(broken.words)} for broken in one.breaks
        ],
    }


def _step(board: Board, step: Step) -> documents.HistoryStep:
    return {
        "night": board.nights[step.night].id,
        "change": step.change,
        "before": step.before,
        "after": step.after,
        "changed": list(step.changed),
        "accepted": step.accepted,
    }
