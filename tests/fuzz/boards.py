"""What boards answer: what they are, what they have, which run they hold, what it measured."""

from __future__ import annotations

import contextlib
import json
import shlex
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from buildmatrix import bench, deploy, device
from buildmatrix.bench.journal import parse, readable
from buildmatrix.bench.verdict import measurements
from buildmatrix.deploy.listing import read_listing
from buildmatrix.errors import BuildmatrixError
from buildmatrix.protocols import CommandResult
from tests.fakes import RecordingReporter
from tests.fuzz.binaries import POLICIES
from tests.fuzz.reader import Reader, text
from tests.unit.test_bench_verdict import BOARD, GOLDEN, REQUEST, block
from tests.unit.test_device import PI3, VIRTUAL

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

DIGEST = b"a" * 64
LISTING = b"".join(
    (
        b"have %s\nsize 12 objects/%s\nsum %s  objects/%s\n" % ((DIGEST,) * 4),
        b"bundle %s\ncell one %s\nswitch 3 one %s\n" % ((DIGEST,) * 3),
        b"used 12 .\nzstd\nend\n",
    )
)


@dataclass(frozen=True, slots=True)
class Answering:
    """A board that answers every command with the same bytes, between the marks of that call.

    Asked for its state it answers with `state`, where that is given.
    """

    data: bytes
    state: bytes = b""
    packed: int | None = None

    def run(
        self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
    ) -> CommandResult:
        words = shlex.split(script)
        mark = words[2].encode()
        data = self.state if self.state and words[6].startswith("state") else self.data
        return CommandResult(0, b"\n<%b\n%b\n>%b 0\n" % (mark, data, mark), b"")

    def close(self) -> None:
        """Nothing is open."""


def _probed(data: bytes, _: Path) -> None:
    info = device.probe(Answering(data), "pi3")
    for policy in POLICIES:
        device.unfit(info, policy.target, needs_kib=1)
    json.dumps(asdict(info), allow_nan=False, default=sorted)


def _listed(data: bytes, _: Path) -> object:
    return read_listing(data), deploy.active(Answering(data))


def _journal(data: bytes, _: Path) -> None:
    readable(text(data))
    journal = parse(data.decode(errors="replace"))
    rows = measurements(journal.blocks, REQUEST, golden=GOLDEN, device=BOARD)
    json.dumps([asdict(row) for row in rows], allow_nan=False).encode()


def _run(data: bytes, _: Path) -> None:
    board = Answering(data)
    with contextlib.suppress(BuildmatrixError):
        bench.cancel(board)
    with contextlib.suppress(BuildmatrixError):
        bench.start(board, REQUEST)
    bench.state(board)


def _followed(data: bytes, _: Path) -> None:
    board = Answering(data, _runs()[0])
    bench.collect(board, reporter=RecordingReporter(), deadline=0, poll=0)


def _lines() -> tuple[bytes, ...]:
    done = block()
    fields = {name: getattr(done, name) for name in done.__slots__ if name != "skipped"}
    fields["stdout"] = json.dumps(fields.pop("result"))
    left = {name: fields[name] for name in ("round", "sentinel", "cell", "batch", "started")}
    left |= {"block": 1, "before": fields["before"], "skipped": {"out_of_memory": 2}}
    event = {"event": "takeover", "at": 3, "silent": 4, "owner": "me"}
    return tuple(json.dumps(line).encode() + b"\n" for line in (fields, left, event))


def _runs() -> tuple[bytes, ...]:
    asked = json.dumps(asdict(REQUEST)).encode() + b"\n"
    return (b"r1 done 2 4 0\n" + asked, b"r1 running 2 4 7\n" + asked, b"none\n")


READERS = (
    Reader("probe", lambda: (PI3.encode(), VIRTUAL.encode()), _probed),
    Reader("listing", lambda: (LISTING,), _listed),
    Reader("run", _runs, _run),
    Reader("followed", lambda: tuple(b"done 4\n" + line for line in _lines()), _followed),
    Reader("journal", lambda: (*_lines(), b"".join(_lines())), _journal),
)
