"""Where a cell's instructions go on a board of hardware, by samples of its own Linux perf.

As on a counted board, two runs of the runner differ in nothing but passes. Where perf stands when
its counter overflows is some instructions late, so a kind of work is nearly right and a function
is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.agent import ask
from buildmatrix.boards.profiling import BundleFiles, reported, subject
from buildmatrix.boards.reach import connect
from buildmatrix.errors import BenchError, DeviceError
from buildmatrix.pipeline.stored import shippable, stored
from buildmatrix.profile import sampling
from buildmatrix.profile.folding import folded, per_pass
from buildmatrix.profile.summary import document
from buildmatrix.virtual import plugin

if TYPE_CHECKING:
    from buildmatrix.boards.reach import Access
    from buildmatrix.documents.profiling import Profile
    from buildmatrix.nouns import BoardAddress
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.profile.sampling import Samples
    from buildmatrix.protocols import Connection

PASSES = 20  # that are told from the rest
PERIOD = 100_003  # instructions between two samples; a prime, so that no loop keeps step with it
MINUTES = 30
HINT = "perf must be let count there: sysctl kernel.perf_event_paranoid, 2 or less"
HINTS = {
    80: "deploy the cell first: inv deploy --only CELL --host BOARD",
    81: "install it there; Debian and Raspberry Pi OS have it in linux-perf",
}
# Inside the prefix: BUNDLE BATCH PASSES PERIOD. Prints the runner's line, then perf's text.
SCRIPT = """\
set -- %s; cd bundles/$1 2> /dev/null || { echo 'the bundle is not there' >&2; exit 80; }
command -v perf > /dev/null || { echo 'there is no perf' >&2; exit 81; }
at=$(mktemp -d) || exit
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 perf record -q -e instructions:u -c "$4" -o "$at/data" \
-- bin/runner --model model --batch "$2" --passes "$3" --warmup 0 --threads 1 \
> "$at/out" 2> "$at/err" && tail -n 1 "$at/out" &&
perf script -i "$at/data" -F pid,ip,period --show-mmap-events 2> /dev/null
status=$?; [ "$status" = 0 ] || tail -n 5 "$at/err" >&2
rm -r "$at"; exit "$status"
"""


def profile(
    shop: Workshop, cell: str, board: BoardAddress, *, access: Access, batch: int = 1
) -> Profile:
    """Sample one deployed cell's forward pass on a board of hardware.

    Raises InputError when the cell is not built, DeviceError where it is not deployed, or perf is
    not there or may not count.
    """
    (built,) = shippable([one for one in stored(shop).values() if one.cell.id == cell])
    assert built.bundle is not None
    with connect(board, access) as connection:
        shorter, few = sampled(connection, board, built.bundle.digest, batch, 1)
        longer, many = sampled(connection, board, built.bundle.digest, batch, 1 + PASSES)
        files = BundleFiles(shop, built.bundle, connection)
        fewer, more = (folded(sampling.counts(one, files), one.parts, files) for one in (few, many))
    places = per_pass(fewer, more, PASSES * batch)
    return document(
        places,
        plugin.demangled(sorted({symbol for _, symbol in places})),
        subject(
            shop,
            built,
            board=board.name,
            batch=batch,
            passes=PASSES,
            harness=longer - shorter,
            samples=many.count,
        ),
    )


def sampled(
    connection: Connection, board: BoardAddress, bundle: str, batch: int, passes: int
) -> tuple[int, Samples]:
    """The harness's own count of one run, and perf's samples of it."""
    line = SCRIPT % f"{bundle} {batch} {passes} {PERIOD}"
    result = ask(connection, line, timeout=60 * MINUTES)
    if result.status != 0:
        raise DeviceError(
            f"{board.name} cannot be profiled",
            details=result.stderr.decode(errors="replace").strip(),
            hint=HINTS.get(result.status, HINT),
        )
    report, text = reported(result.stdout.decode(errors="replace"))
    if report["status"] != "ok" or report.get("instructions") is None:
        raise BenchError(f"the runner did not count: {report['status']} {report.get('message')}")
    return report["instructions"], sampling.parse(text)
