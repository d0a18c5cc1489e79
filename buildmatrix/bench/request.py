"""What a run is asked to do, and the folder that carries it to the board."""

from __future__ import annotations

import io
import json
import re
import tarfile
from dataclasses import asdict, dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal

from buildmatrix.agent import CELL, DIGEST, source
from buildmatrix.bench import door
from buildmatrix.errors import BenchError, InputError
from buildmatrix.nouns import ALL_CORES
from buildmatrix.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

VERSION = max(door.REQUESTS)  # of a request: raise it when its fields change


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
    passes: int  # timed, in each block
    warmup: int
    threads: int
    seed: int
    model_version: str = ""
    rounds: int = 1  # of every row; with `until` the first ones
    until: float = 0.0  # relative half-width of a row's interval from which it is done; 0: at once
    at_most: int = 0  # rounds of a row, with `until`
    retakes: int = 2  # further rounds, at the most, for blocks that were disturbed
    limit_seconds: int = 7200  # for one block
    owner: str = ""  # user@machine
    governor: bool = True  # set it to performance, if the board lets us
    wireless: Literal["keep", "off"] = "keep"
    cool_down: int = 0  # degrees that the board waits for before each block; 0: it does not wait
    max_celsius: int = 0  # a block that began or ended hotter is void; 0: no limit
    settle: bool = False  # passes that are still warming up are left out
    cores: str = ALL_CORES  # or those that the runner is bound to: 0-3,5
    layers: bool = False  # stacks are asked what their layers take
    power: str = ""  # a command on the board that prints watts; empty: nothing reads them
    power_of: str = ""  # what these are the watts of, in words
    tool: str = ""  # version of buildmatrix
    version: int = VERSION

    @property
    def harness(self) -> int:
        """Version of the harness that measures it; rows of two are not alike."""
        return door.REQUESTS.get(self.version, self.version)


def run_id(now: datetime, nonce: str) -> str:
    """Name of a run: sorts by time, and no two machines choose the same.

    >>> from datetime import datetime
    >>> run_id(datetime(2026, 11, 20, 19, 5, 0, tzinfo=UTC), "c0ffee")
    '20261120T190500Z-c0ffee'
    """
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{nonce}"


def run_files(request: Request, plan: str) -> bytes:
    """The folder of a run as a tar: request, plan, agent, and a link to each bundle measured.

    `plan` is the order of its blocks as the agent reads it, from `order.plan_text`.
    """
    check_run(request.run)
    for entrant in request.entrants:
        if not CELL.fullmatch(entrant.cell) or not DIGEST.fullmatch(entrant.bundle):
            raise InputError(f"{entrant.cell!r} cannot be measured", hint="deploy it first")
    files = {
        "request.json": json.dumps(asdict(request)) + "\n",
        "plan": plan,
        "settings": _settings(request),
        "agent.sh": source("owner", "lease", "journal", "condition", "board", "memory", "bench")
        + '\nagent "$1"\n',
        "journal.jsonl": "",
    }
    return _tar(files, {e.cell: f"../../../bundles/{e.bundle}" for e in request.entrants})


def _settings(request: Request) -> str:
    """The settings that the agent reads, one `name value` to a line, as it does not read JSON.

    Characters of the owner that would need quoting become question marks, because the agent
    writes the owner into JSON as it is.
    """
    owner = re.sub(r"[^A-Za-z0-9@._+-]", "?", request.owner)
    governor = "performance" if request.governor else "keep"
    lines = [f"owner {owner}", f"governor {governor}", f"wireless {request.wireless}"]
    lines += [f"cool_down {request.cool_down}"] if request.cool_down else []
    lines += [f"cores {request.cores}"] if request.cores != ALL_CORES else []
    lines += ["layers yes"] if request.layers else []
    lines += [f"power {request.power}"] if request.power else []
    return "".join(f"{line}\n" for line in lines)


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
    """A request from the board. Raises BenchError for one that is none, or of another version."""
    try:
        data = door.read(text)
        version = door.check_request(data)
        if version in door.REQUESTS:
            return _request(data)
    except (ValueError, TypeError) as error:  # TypeError: a field that no request has
        raise BenchError(
            "the request of the run on the board cannot be read",
            details=printable(str(error)),
            hint="collect it with the version that began it, or throw it away: inv bench --cancel",
        ) from None
    tool = printable(str(data.get("tool") or ""))[:80]
    if version > VERSION:
        raise BenchError(
            f"the run on the board was started by buildmatrix {tool or '(newer)'}",
            hint="collect it with that version, or a newer one",
        )
    raise BenchError(
        f"the run on the board was begun by an older buildmatrix, {tool or 'unnamed'}",
        hint="collect it with that version, or throw it away: inv bench --cancel",
    )


def request_of(data: Mapping[str, Any]) -> Request:
    """The request of a stored run. Raises BenchError when a newer buildmatrix asked for the run, or
    somebody wrote it otherwise than any does."""
    try:
        if door.check_request(data) <= VERSION:
            return _request(data)
    except (ValueError, TypeError, LookupError):  # TypeError: a field that this version has not
        pass
    tool = printable(str(data.get("tool") or "(newer)"))[:80]
    raise BenchError(
        f"run {printable(str(data.get('run')))[:80]} was asked for by another buildmatrix, {tool}",
        hint="use that version, or a newer one",
    )


def _request(data: Mapping[str, Any]) -> Request:
    """A request from its JSON form, as `asdict` gives it. Raises TypeError for strange fields."""
    fields = dict(data)
    entrants = tuple(Entrant(**entrant) for entrant in fields.pop("entrants"))
    return Request(entrants=entrants, batches=tuple(fields.pop("batches")), **fields)


def check_run(run: str) -> None:
    """A run's name becomes a folder on the board and a word in a script: refuse anything odd."""
    if not CELL.fullmatch(run) or run == "current":
        raise InputError(f"{run!r} cannot be the name of a run", hint="make one with run_id")
