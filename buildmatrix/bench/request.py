"""What a run is asked to do, and the folder that carries it to the board."""

from __future__ import annotations

import io
import json
import random
import tarfile
from dataclasses import asdict, dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING

from buildmatrix.agent import CELL, DIGEST, source
from buildmatrix.errors import BenchError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

VERSION = 1  # of the request, and of the series: bump it when the same words measure another thing


@dataclass(frozen=True, slots=True)
class Entrant:
    """A cell that takes part: the bundle measured, and what the result should remember of it."""

    cell: str
    bundle: str  # digest
    facts: Mapping[str, object] = field(default_factory=dict)  # toolchain, flags, sources


@dataclass(frozen=True, slots=True)
class Request:
    """What a run was asked to do. Stored on the board beside its plan."""

    run: str
    model: str
    entrants: tuple[Entrant, ...]
    batches: tuple[int, ...]
    passes: int
    warmup: int
    threads: int
    seed: int
    limit_seconds: int = 7200  # for one block
    tool: str = ""  # version of buildmatrix
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Block:
    """One turn of one cell at one batch size. A sentinel repeats the first block."""

    index: int
    cell: str
    batch: int
    sentinel: bool = False


def run_id(now: datetime, nonce: str) -> str:
    """Name of a run: sorts by time, and no two machines choose the same.

    >>> run_id(datetime(2026, 11, 20, 19, 5, 0, tzinfo=UTC), "c0ffee")
    '20261120T190500Z-c0ffee'
    """
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{nonce}"


def blocks(cells: Sequence[str], batches: Sequence[int], seed: int) -> tuple[Block, ...]:
    """Every cell at every batch size in an order drawn from the seed.

    The sentinel, one block of the smallest batch, opens the run and is repeated at its end: if
    it got slower or faster meanwhile, so may have the others.
    """
    order = [(cell, batch) for cell in cells for batch in batches]
    random.Random(seed).shuffle(order)
    opener = next(item for item in order if item[1] == min(batches))
    order.remove(opener)
    run = [opener, *order, opener]
    return tuple(
        Block(index, cell, batch, sentinel=index == len(run) - 1)
        for index, (cell, batch) in enumerate(run)
    )


def request_blocks(request: Request) -> tuple[Block, ...]:
    """The blocks of a request, in the order in which its board runs them."""
    cells = [entrant.cell for entrant in request.entrants]
    return blocks(cells, request.batches, request.seed)


def plan_text(request: Request) -> str:
    """The plan as the agent reads it: index cell batch passes warmup threads seconds-limit."""
    tail = f"{request.passes} {request.warmup} {request.threads} {request.limit_seconds}"
    return "".join(f"{b.index} {b.cell} {b.batch} {tail}\n" for b in request_blocks(request))


def run_files(request: Request) -> bytes:
    """The folder of a run as a tar: request, plan, agent, and a link to each bundle measured."""
    check_run(request.run)
    for entrant in request.entrants:
        if not CELL.fullmatch(entrant.cell) or not DIGEST.fullmatch(entrant.bundle):
            raise InputError(f"{entrant.cell!r} cannot be measured", hint="deploy it first")
    files = {
        "request.json": json.dumps(asdict(request)) + "\n",
        "plan": plan_text(request),
        "agent.sh": source("owner", "runs", "bench") + '\nagent "$1"\n',
        "journal.jsonl": "",
    }
    return _tar(files, {e.cell: f"../../../bundles/{e.bundle}" for e in request.entrants})


def _tar(files: Mapping[str, str], cells: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
        for cell, target in cells.items():
            link = tarfile.TarInfo(f"cells/{cell}")
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
    return buffer.getvalue()


def read_request(text: str) -> Request:
    """A request from the board. Raises BenchError for one that a newer buildmatrix wrote."""
    data = json.loads(text)
    if data["version"] > VERSION:
        raise BenchError(
            f"the run on the board was started by buildmatrix {data.get('tool') or '(newer)'}",
            hint="collect it with that version, or a newer one",
        )
    entrants = tuple(Entrant(**entrant) for entrant in data.pop("entrants"))
    return Request(entrants=entrants, batches=tuple(data.pop("batches")), **data)


def check_run(run: str) -> None:
    """A run's name becomes a folder on the board and a word in a script: refuse anything odd."""
    if not CELL.fullmatch(run) or run == "current":
        raise InputError(f"{run!r} cannot be the name of a run", hint="make one with run_id")
