"""One row of the table as one archive: all that is needed to repeat it on another board.

The archive unpacks to one folder with the bundle's files as they were measured, `row.json` (what
was measured, how, and what came out), `rerun.sh` (repeats and compares; no buildmatrix needed) and
SHA256SUMS over all of them. The same row packed twice gives the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shlex
import tarfile
from dataclasses import dataclass, fields
from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING, BinaryIO

from buildmatrix.bench.request import Request, check_run, request_of
from buildmatrix.conditions import mapping
from buildmatrix.deploy import check
from buildmatrix.errors import InputError
from buildmatrix.nouns import FileRecord, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from buildmatrix.documents.repeating import RepeatedBlock, RepeatedRow, Rerun
    from buildmatrix.nouns import Bundle, Measurement, Run
    from buildmatrix.protocols import ObjectReader
    from buildmatrix.summary import Row

EXPECTED = "model/expected.f64"  # the golden output, beside the model it belongs to
OF_BOARD = ("name", "kernel", "elf_machine")  # that rerun.sh tells of the board, or judges by
# Of the request: those of row.json are written there, and who asked is nobody's business.
ELSEWHERE = {"run", "entrants", "owner", "version"}
AGAIN = "measure the cell again: inv bench --collect"
SETTINGS = tuple(one.name for one in fields(Request) if one.name not in ELSEWHERE)


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive, and the one command that repeats the row where the archive lies."""

    path: Path
    size: int
    command: str


def pack(
    rows: Sequence[Row], bundle: Bundle, run: Run, objects: ObjectReader, *, folder: Path, per: str
) -> Archive:
    """Write CELL-RUN.tar.gz into `folder`; `rows` are one cell's in one run, their figures of what
    `per` says: 'an image', or 'a call'.

    Raises InputError when the bundle is not the one that was measured, when nothing was, and for
    names that no board could hold.
    """
    _check(rows, bundle, run)
    moment = _moment(run)
    rows = sorted(rows, key=lambda row: row.batch)
    record = document(rows, run)
    own = {
        "row.json": f"{json.dumps(record, indent=1, sort_keys=True)}\n".encode(),
        "rerun.sh": program(record, files=len(bundle.files) + 3, per=per).encode(),
        "table.awk": _source("table.awk").encode(),
    }
    name = f"{bundle.cell}-{run.id}"
    path = folder / f"{name}.tar.gz"
    part = path.with_name(f".{path.name}.part")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as target:
            _write(target, name, bundle, own, objects, moment)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    command = f"tar xzf {path.name} && sh {name}/rerun.sh"
    return Archive(path, path.stat().st_size, command)


def document(rows: Sequence[Row], run: Run) -> Rerun:
    """`row.json`: what was measured, on what, with which settings, and every block behind it."""
    first, request = rows[0].first, request_of(run.request)
    return {
        "version": 1,
        "run": run.id,
        "cell": first.cell,
        "bundle": first.bundle,
        "emulated": first.emulated,
        "device": dict(mapping(first.environment.get("device"))),
        "facts": dict(mapping(first.environment.get("facts"))),
        "tolerance": _tolerance(rows),
        "step": _step(rows),
        "settings": {name: getattr(request, name) for name in SETTINGS},
        "order": order(rows, rounds=request.rounds),
        "rows": [
            {
                "batch": row.batch,
                "status": row.status.value,
                "reason": row.reason,
                "mean_ms_per_image": row.mean_ms_per_image,
                "instructions_per_image": row.instructions_per_image,
                "max_rel_error": row.max_rel_error,
                "peak_rss_kib": row.peak_rss_kib,
                "blocks": [_block(block) for block in row.blocks],
            }
            for row in rows
        ],
    }


def order(rows: Sequence[Row], *, rounds: int) -> list[int]:
    """Batch sizes in the order in which the board ran them; retakes left out, as they are no part
    of the design, and so is what was not run."""
    blocks = [block for row in rows for block in row.blocks]
    turns = [b for b in blocks if b.round < rounds and b.status is not Status.SKIPPED]
    return [block.batch for block in sorted(turns, key=lambda block: block.block)]


def program(record: Rerun, *, files: int, per: str) -> str:
    """`rerun.sh`: the record as shell variables, then the script, which is the same for all."""
    device, settings = record["device"], record["settings"]
    board = f"{device.get('model') or device['name']}, {device['kernel']}"
    variables = {
        "files": files,
        "per": per,
        "cell": record["cell"],
        "run": record["run"],
        "bundle": record["bundle"][:12],
        "board": "".join(c if c.isprintable() else "?" for c in board),  # the board's own words
        "elf": device["elf_machine"],
        "emulated": "emulated" if record["emulated"] else "",
        "tolerance": record["tolerance"],
        "step": record["step"],
        "passes": settings["passes"],
        "warmup": settings["warmup"],
        "threads": settings["threads"],
        "cores": settings["cores"],
        "order": " ".join(map(str, record["order"])),
        "recorded": "\n".join(_recorded(row) for row in record["rows"]),
    }
    head = "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in variables.items())
    return f"#!/bin/sh\n{head}\n{_source('rerun.sh')}"


def _moment(run: Run) -> int:
    """When a run was collected, in seconds since 1970."""
    try:
        return int(datetime.fromisoformat(run.collected_at).timestamp())
    except (ValueError, OverflowError):
        raise InputError(
            f"run {run.id} says that it was collected at {run.collected_at!r}, which is no time",
            hint=AGAIN,
        ) from None


def _source(name: str) -> str:
    return (resources.files("buildmatrix") / "rerun" / name).read_text(encoding="utf-8")


def _recorded(row: RepeatedRow) -> str:
    """Batch size, status, ms an image, instructions an image; '-' for what there is not."""
    figures = (row["mean_ms_per_image"], row["instructions_per_image"])
    words = ("-" if figure is None else repr(figure) for figure in figures)
    return " ".join((str(row["batch"]), row["status"], *words))


def _block(block: Measurement) -> RepeatedBlock:
    """A measurement without what all blocks of the record share."""
    around = {k: v for k, v in block.environment.items() if k not in ("device", "facts")}
    return {
        "model": block.model,
        "threads": block.threads,
        "passes": block.passes,
        "status": block.status.value,
        "block": block.block,
        "round": block.round,
        "sentinel": block.sentinel,
        "samples_ns": [*block.samples_ns],
        "first_pass_ns": block.first_pass_ns,
        "instructions": block.instructions,
        "peak_rss_kib": block.peak_rss_kib,
        "max_rel_error": block.max_rel_error,
        "void_reason": block.void_reason,
        "series": block.series,
        "taken_at": block.taken_at,
        "environment": around,
    }


def _tolerance(rows: Sequence[Row]) -> float:
    """The one that the answers were judged with; it depends on the runner's number format."""
    for row in rows:
        for block in row.blocks:
            tolerance = block.environment.get("tolerance")
            if isinstance(tolerance, float):
                return tolerance
    raise InputError(
        f"no block of {rows[0].cell} in run {rows[0].run} was judged by its answer",
        hint=AGAIN,
    )


def _step(rows: Sequence[Row]) -> float:
    """The step of a quantized output, in which its tolerance is; 0 of others."""
    steps = (block.environment.get("step") for row in rows for block in row.blocks)
    return next((step for step in steps if isinstance(step, float)), 0.0)


def _check(rows: Sequence[Row], bundle: Bundle, run: Run) -> None:
    check(bundle)
    check_run(run.id)
    blocks = [block for row in rows for block in row.blocks]
    if {(b.run, b.cell) for b in blocks} != {(run.id, bundle.cell)}:
        raise InputError(
            f"run {run.id} did not measure {bundle.cell}",
            hint="`inv report` lists what was measured",
        )
    if {block.bundle for block in blocks} != {bundle.digest}:
        raise InputError(
            f"{bundle.cell} is not what run {run.id} measured: it was built anew since",
            details=f"measured {blocks[0].bundle[:12]}, built {bundle.digest[:12]}",
            hint="deploy and measure it again, or pack it where that bundle still is",
        )
    if all(block.status is Status.SKIPPED for block in blocks):
        raise InputError(f"run {run.id} ran nothing of {bundle.cell}", hint="see its row's reason")
    device = mapping(blocks[0].environment.get("device"))
    if absent := [name for name in OF_BOARD if not isinstance(device.get(name), str)]:
        words = f"run {run.id} does not say of its board: {', '.join(absent)}"
        raise InputError(words, hint=AGAIN)
    if not any(record.path == EXPECTED for record in bundle.files):
        raise InputError(
            f"the bundle of {bundle.cell} has no {EXPECTED}: no answer could be checked",
            hint="build the cell again",
        )


def _write(
    target: BinaryIO,
    name: str,
    bundle: Bundle,
    own: Mapping[str, bytes],
    objects: ObjectReader,
    moment: int,
) -> None:
    """The archive, file by file. `moment` is the time of every member, in seconds since 1970."""
    sums = {record.path: record.sha256 for record in bundle.files}
    sums |= {path: hashlib.sha256(content).hexdigest() for path, content in own.items()}
    listed = "".join(f"{digest}  {path}\n" for path, digest in sorted(sums.items()))
    made = {**own, "SHA256SUMS": listed.encode()}
    records = [*bundle.files, *(FileRecord(path, size=len(made[path])) for path in made)]
    with (
        gzip.GzipFile("", "wb", 6, target, mtime=0) as squeezed,
        tarfile.open(fileobj=squeezed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for record in sorted(records, key=lambda record: record.path):
            member = tarfile.TarInfo(f"{name}/{record.path}")
            member.size, member.mtime = record.size, moment
            member.mode = 0o755 if record.executable else 0o644
            content = made.get(record.path)
            with io.BytesIO(content) if content is not None else objects.open(record.sha256) as s:
                tar.addfile(member, s)
