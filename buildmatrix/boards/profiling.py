"""Where a cell's instructions go, counted on a virtual board of its own.

Two runs of the cell's runner differ in nothing but passes, so what one executes more than the other
is those passes: no mark in the runner is needed, and any bundle that was ever built can be looked
at. The board is a twin of the one that is named, of the same kind and from the same snapshot, with
the counting plugin in its QEMU.
"""

from __future__ import annotations

import secrets
import shlex
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildmatrix import virtual
from buildmatrix.agent import call
from buildmatrix.bench.journal import runner_line
from buildmatrix.boards import deploying
from buildmatrix.boards.reach import connect
from buildmatrix.errors import BenchError, DeviceError, InputError
from buildmatrix.pipeline.stored import shippable, stored
from buildmatrix.profile import counting, functions, mappings
from buildmatrix.profile.folding import folded, per_pass
from buildmatrix.profile.pages import resettled
from buildmatrix.profile.summary import Subject, document
from buildmatrix.protocols import Finished, Started
from buildmatrix.virtual import plugin
from buildmatrix.workload import described

if TYPE_CHECKING:
    from buildmatrix.boards.reach import Access
    from buildmatrix.documents.profiling import Profile
    from buildmatrix.nouns import Bundle
    from buildmatrix.pipeline.stored import Stored
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.profile.functions import Code
    from buildmatrix.profile.mappings import Mapping
    from buildmatrix.protocols import Connection

PASSES = 4  # that are told from the rest
MINUTES = 30
COUNTED = "-counted"  # the end of the names of kinds that count
APART = 0.02  # share of the harness's count: a profile that is further from it is none
# Inside the prefix: BUNDLE BATCH PASSES.
RUNNER = """\
set -- %s; cd bundles/$1 || exit
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 bin/runner --model model --batch $2 --passes $3 \
--warmup 0 --threads 1 > /tmp/profile.out 2> /tmp/profile.err"""
FAILED = "{ status=$?; tail -n 5 /tmp/profile.err >&2; exit $status; }"
# Prints the runner's line. Nothing else runs meanwhile: what another process does in a library of
# both would be counted.
SCRIPT = f"{RUNNER} ||\n{FAILED}\ntail -n 1 /tmp/profile.out\n"
# Prints the memory map of the process that measures, which is a child of the first (see
# harness/supervisor.h), as it was when it was last seen: libraries may be opened late.
WATCHING = """\
while kill -0 $main 2> /dev/null; do
for stat in /proc/[0-9]*/stat; do
read -r pid name state parent rest 2> /dev/null < $stat || continue
[ "$parent" != $main ] || { new=$(cat /proc/$pid/maps 2> /dev/null); [ -z "$new" ] || maps=$new; }
done; sleep 0.05; done"""
MAPS = f'{RUNNER} & main=$!\n{WATCHING}\nwait $main || {FAILED}\necho "$maps"\n'


@dataclass(frozen=True, slots=True)
class _Seen:
    """One run of the runner: what the harness counted, and what ran."""

    instructions: int
    counts: counting.Counts


@dataclass(slots=True)
class BundleFiles:
    """Files of the board, each read once: the bundle's from the store, others over the link."""

    shop: Workshop
    bundle: Bundle
    connection: Connection
    known: dict[str, Code | None] = field(default_factory=dict)

    def __call__(self, path: str) -> Code | None:
        if path not in self.known:
            data = self._read(path) if path.startswith("/") else b""
            self.known[path] = functions.code(data) if data else None
        return self.known[path]

    def _read(self, path: str) -> bytes:
        inside = path.partition(f"/bundles/{self.bundle.digest}/")[2]
        for record in self.bundle.files:
            if record.path == inside and record.sha256:
                with self.shop.store.open(record.sha256) as stream:
                    return stream.read()
        return self.connection.run(f"cat {shlex.quote(path)}", timeout=300).stdout


def kind_of(host: str, state: Path) -> str | None:
    """The kind of the virtual board that `--host` names; None where it names none of them. Raises
    InputError for one that does not count instructions."""
    kinds = {board.address.name: board.kind for board in virtual.boards(state)}
    kind = kinds.get(host)
    if kind is not None and not kind.endswith(COUNTED):
        raise InputError(
            f"{host} is a virtual board that does not count instructions",
            hint="inv device up --kind pi3-counted",
        )
    return kind


def profile(
    shop: Workshop, cell: str, kind: str, *, access: Access, mirror: str, batch: int = 1
) -> Profile:
    """Count one built cell's forward pass on a virtual board of this kind.

    Raises InputError when the cell is not built, DeviceError for the board, BenchError when its
    runner fails or does not count.
    """
    (built,) = shippable([one for one in stored(shop).values() if one.cell.id == cell])
    name = f"profile-{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory(prefix="buildmatrix-") as made:
        folder = Path(made)
        argument = plugin.compiled(folder)
        try:
            board = virtual.up(
                shop.state,
                name=name,
                kind=kind,
                mirror=mirror,
                reporter=shop.reporter,
                plugin=argument,
            )
            means = deploying.Means(access, shop.store, shop.reporter)
            deploying.deploy_all([built], board, means)
            with connect(board, access) as connection:
                return _counted(shop, built, kind, connection, folder, batch)
        finally:
            virtual.down(shop.state, name=name)


def _counted(
    shop: Workshop, built: Stored, kind: str, connection: Connection, folder: Path, batch: int
) -> Profile:
    assert built.bundle is not None
    title, began = f"profile {built.cell.id}", time.monotonic()
    shop.reporter.emit(Started(title, f"2 and {2 + PASSES} passes at batch {batch}"))
    parts = _mapped(connection, built.bundle, batch)
    shorter = _run(connection, folder, built.bundle, batch, 1)
    longer = _run(connection, folder, built.bundle, batch, 1 + PASSES)
    files = BundleFiles(shop, built.bundle, connection)
    fewer, more = (
        folded(resettled(one.counts, parts, files), parts, files) for one in (shorter, longer)
    )
    places = per_pass(fewer, more, PASSES * batch)
    symbols = sorted({symbol for _, symbol in places})
    shop.reporter.emit(Finished(title, "done", time.monotonic() - began))
    about = subject(
        shop,
        built,
        board=kind,
        batch=batch,
        passes=PASSES,
        harness=longer.instructions - shorter.instructions,
    )
    check(sum(sum(works.values()) for works in places.values()), about.harness)
    return document(places, plugin.demangled(symbols), about)


def check(total: float, harness: float) -> None:
    """Raises DeviceError for a profile that is not of what the harness counted."""
    if abs(total - harness) > APART * harness:
        raise DeviceError(
            f"the profile holds {total / 1e6:.2f} M instructions an image, the board's own counter "
            f"says {harness / 1e6:.2f} M: it cannot be believed",
            details=f"counted by a plugin of {plugin.qemu()}",
            hint="profile it with another QEMU; versions 7.2 and 10.0 were tried",
        )


def subject(
    shop: Workshop,
    built: Stored,
    *,
    board: str,
    batch: int,
    passes: int,
    harness: int,
    samples: int | None = None,
) -> Subject:
    """What was profiled; `harness` is of all its passes that are told from the rest."""
    assert built.bundle is not None
    net = shop.project.networks[built.cell.model]
    return Subject(
        cell=built.cell.id,
        bundle=built.bundle.digest,
        model=net.name,
        board=board,
        batch=batch,
        passes=passes,
        harness=harness / (passes * batch),
        needed=described(net).bound,
        samples=samples,
    )


def _run(connection: Connection, folder: Path, bundle: Bundle, batch: int, passes: int) -> _Seen:
    plugin.ask(folder)  # what ran before is not ours
    line = SCRIPT % f"{bundle.digest} {batch} {passes}"
    answer = call(connection, line, timeout=60 * MINUTES).stdout.decode(errors="replace")
    counts = counting.parse(plugin.ask(folder))
    report, _ = reported(answer)
    if report["status"] != "ok":
        raise BenchError(f"the runner ended as {report['status']}: {report.get('message')}")
    if report.get("instructions") is None:
        raise DeviceError("the board does not count instructions", hint="use a counted kind")
    return _Seen(report["instructions"], counts)


def _mapped(connection: Connection, bundle: Bundle, batch: int) -> tuple[Mapping, ...]:
    """The mappings of code of the cell's runner in a run of its own."""
    line = MAPS % f"{bundle.digest} {batch} 1"
    answer = call(connection, line, timeout=60 * MINUTES).stdout.decode(errors="replace")
    return mappings.parse(answer)


def reported(answer: str) -> tuple[dict[str, Any], str]:
    """What a runner printed as its line of JSON, and the text that follows it.

    Raises BenchError for another first line.
    """
    first, _, rest = answer.lstrip("\n").partition("\n")
    report = runner_line(first)
    if report is None or "status" not in report:
        raise BenchError("the runner printed no result", details=first[:500])
    return report, rest
