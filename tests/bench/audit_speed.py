"""What reading and auditing ARM code costs, beside another checkout: all of it in one run.

    python -m tests.bench.audit_speed OTHER [FILE...] [--cache FOLDER] [--state FOLDER]
                                      [--bundles FOLDER]

OTHER is a checkout of buildmatrix with its environment in .venv. The facts of each FILE (a library
or a static one) are read by both, and the number of NEON multiplies must be the same. Demanded is
the time of the same facts: the NEON multiplies, and of the tables what OTHER had of them at 4c6a0b9
(attributes, needs, versions, switches, symbols); beside it stands all that is read today, walks
from what the loader calls included. Without a
FILE three are fetched into the cache: OpenBLAS's static library (Debian 13, arm64) and the largest
library of onnxruntime's and of PyTorch's wheel for aarch64. `--state` is a state folder: every
bundle in its store is checked out and audited by both, all by one process and each by one of its
own. `--bundles` is a folder in which they lie already.

A file that takes less than a few seconds is read several times, by one and the other in turn, and
the least of each counts: a busy machine only ever adds. The last lines are a table of all subjects
with what was demanded of each; what has no demand is told as well: the same with the start of
Python and its packages. Exit code 1 where a demand is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.store import Store
from tests.proof.facts import wheel
from tests.proof.userlands import Archive, extract

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).parents[2]
CACHE = Path("~/.cache/buildmatrix/proof").expanduser()
FACTS_RATIO, AUDIT_RATIO = 5.0, 2.0
MOST_MIB = 300e6 / (1 << 20)  # 300 MB
SPENT, MOST_RUNS = 8.0, 9  # seconds of CPU after which nothing is done again, and how often at most
WIDTH = 44  # columns of a subject
MANIFEST = "manifest.json"  # is in every bundle, and in nothing else that a store has
FACTS = """\
import json, sys, time
from pathlib import Path
from buildmatrix import elf
start = time.process_time()
facts = elf.read_file(Path(sys.argv[1]), "file")
reading = time.process_time() - start
counts = [len(facts), sum(one.neon_instructions or 0 for one in facts)]
print(json.dumps({"counts": counts, "reading": reading}))
"""
# What OTHER reads of a file, by our readers: of today's `facts_of` what was there then.
SAME = """\
import json, sys, time
from pathlib import Path
import numpy as np
from buildmatrix.elf import archive, attributes, contents, dynamic, versions
from buildmatrix.elf.hits import multiplies, read_code
from buildmatrix.elf.relocations import relocations
from buildmatrix.elf.rows import program
from buildmatrix.elf.switches import machine_switches
from buildmatrix.elf.symbols import blas, symbols
from buildmatrix.elf.tables import MAGIC, Image
start = time.process_time()
def images(data):
    if bytes(data[:8]) not in archive.MAGICS:
        yield Image(data)
        return
    for member in archive.members(data):
        if bytes(member.content[:4]) == MAGIC:
            yield Image(memoryview(member.content))
counts = [0, 0]
for image in images(contents._bytes(Path(sys.argv[1]))):
    attributes.attributes(image)
    asked, needs = dynamic.dynamic(image), versions.needed(image)
    table = symbols(image, relocations(image, asked.stubs))
    machine_switches(image, None), blas(table.exports)
    counts[0] += 1
    counts[1] += multiplies(read_code(program(image), np.zeros(0, np.int64))).float32
reading = time.process_time() - start
print(json.dumps({"counts": counts, "reading": reading}))
"""
OPENBLAS = ("trixie", "libopenblas-pthread-dev")
WHEELS = (  # requirement, pip's name of the platform
    ("onnxruntime==1.21.0", "manylinux_2_27_aarch64"),
    ("torch==2.6.0", "manylinux_2_28_aarch64"),
)
AUDIT = ("-m", "buildmatrix", "audit", "--json")


@dataclass(frozen=True, slots=True)
class Build:
    """A checkout of buildmatrix and the Python that runs it."""

    root: Path
    python: str
    cache: str  # folder of its compiled modules


@dataclass(frozen=True, slots=True)
class Cost:
    """A whole process."""

    seconds: float  # of CPU, in user mode and in the kernel
    mib: float  # at its peak
    output: str


@dataclass(frozen=True, slots=True)
class Row:
    """One subject by both."""

    subject: str
    costs: Sequence[Cost]  # theirs, ours
    wanted: float = 0.0  # times less; 0: nothing is demanded
    same: bool = True  # both say the same

    @property
    def ratio(self) -> float:
        return self.costs[0].seconds / self.costs[1].seconds

    @property
    def verdict(self) -> str:
        """Whether the demand is met; empty where there is none."""
        if not self.wanted:
            return ""
        met = self.ratio >= self.wanted and self.costs[1].mib <= MOST_MIB and self.same
        return "pass" if met else "MISSED"


def cost(build: Build, arguments: list[str], codes: tuple[int, ...] = (0,)) -> Cost:
    """One run of Python with the build's package; ends the bench where it fails."""
    environment = {**os.environ, "PYTHONPATH": str(build.root), "PYTHONPYCACHEPREFIX": build.cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [build.python, *arguments], env=environment, stdout=output, cwd=build.root
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode()
    if process.returncode not in codes:
        sys.exit(f"{arguments[-1]} by {build.root}: exit {process.returncode}\n{text[-2000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text)


def in_turn(jobs: Sequence[tuple[Build, list[str]]]) -> list[list[Cost]]:
    """Runs of all, one after the other, until SPENT seconds of CPU or MOST_RUNS."""
    runs: list[list[Cost]] = []
    while len(runs) < MOST_RUNS and sum(one.seconds for run in runs for one in run) < SPENT:
        runs.append([cost(build, arguments) for build, arguments in jobs])
    return runs


def least(runs: Iterable[Cost]) -> Cost:
    """The run of fewest seconds, with the most memory of any."""
    every = [*runs]
    return replace(min(every, key=lambda one: one.seconds), mib=max(one.mib for one in every))


def of_facts(path: Path, builds: tuple[Build, Build]) -> list[Row]:
    """A file's facts without the start of Python and its packages: the same, which is demanded, and
    all; then all with that start."""
    theirs, ours = builds
    file = str(path)
    jobs = [(theirs, ["-c", FACTS, file]), (ours, ["-c", SAME, file]), (ours, ["-c", FACTS, file])]
    columns = [*zip(*in_turn(jobs), strict=True)]
    before, same, now = (
        least(replace(one, seconds=json.loads(one.output)["reading"]) for one in column)
        for column in columns
    )
    counts = [json.loads(one.output)["counts"] for one in (before, same, now)]
    equal = counts[0] == counts[1] == counts[2]
    if not equal:
        sys.stdout.write(f"{path.name}: members, multiplies {counts}\n")
    return [
        printed(Row(f"{path.name}: the same facts", (before, same), FACTS_RATIO, equal)),
        printed(Row("  all facts of today", (before, now), same=equal)),
        printed(Row("  all, with the start of Python", (least(columns[0]), least(columns[2])))),
    ]


def printed(row: Row) -> Row:
    """The same row, printed: a run takes minutes."""
    sys.stdout.write(line(row) + "\n")
    sys.stdout.flush()
    return row


def line(row: Row) -> str:
    theirs, ours = (f"{one.seconds:8.2f} s {one.mib:4.0f} MiB" for one in row.costs)
    wanted = f"{row.wanted:g}, {MOST_MIB:.0f} MiB" if row.wanted else ""
    subject = row.subject if len(row.subject) <= WIDTH else row.subject[: WIDTH - 1] + "…"
    return (
        f"{subject:{WIDTH}} {theirs} {ours} {row.ratio:6.1f} {wanted:>10}  {row.verdict}".rstrip()
    )


def fetched(cache: Path) -> list[Path]:
    """The three files that the speed of reading is shown on."""
    suite, package = OPENBLAS
    folder = cache / "real" / package
    if not folder.exists():
        (folder / "usr/lib").mkdir(parents=True)
        archive = Archive(suite, "arm64", cache / f"apt-{suite}-arm64")
        for deb in archive.fetch((package,)):
            extract(deb, folder)
    folders = [folder, *(wheel(cache, *one) for one in WHEELS)]
    files = [
        [p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()] for folder in folders
    ]
    return [max(some, key=lambda path: path.stat().st_size) for some in files]


def of_state(state: Path, builds: tuple[Build, Build]) -> list[Row]:
    """All bundles of the store, a folder each."""
    store = Store(state / "store")
    with tempfile.TemporaryDirectory() as name:
        for key in sorted(store.stored()):
            entry = store.entry(key)
            if entry and any(record.path == MANIFEST for record in entry.files):
                store.checkout(key, Path(name) / key[:12])
        return of_bundles(Path(name), builds)


def of_bundles(folder: Path, builds: tuple[Build, Build]) -> list[Row]:
    """The bundles in a folder: all audited by one process, as a build audits its cells; then each
    by one of its own."""
    bundles = sorted(path for path in folder.iterdir() if path.is_dir())
    rows = []
    both = [cost(build, [*AUDIT, str(folder)], (0, 5)) for build in builds]
    files = [len(json.loads(one.output)["facts"]) for one in both]
    subject = f"{len(bundles)} bundles, {files[1]} files, one process"
    rows.append(printed(Row(subject, both, AUDIT_RATIO, files[0] == files[1])))
    each = [[cost(build, [*AUDIT, str(one)], (0, 5)) for build in builds] for one in bundles]
    sums = [
        replace(costs[0], seconds=sum(c.seconds for c in costs), mib=max(c.mib for c in costs))
        for costs in zip(*each, strict=True)
    ]
    rows.append(printed(Row(f"{len(bundles)} bundles, a process each", sums, AUDIT_RATIO)))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("other", type=Path)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--bundles", type=Path)
    chosen = parser.parse_args()
    other = chosen.other.resolve()
    with tempfile.TemporaryDirectory() as compiled:
        theirs = Build(other, str(other / ".venv/bin/python"), f"{compiled}/theirs")
        builds = theirs, Build(ROOT, sys.executable, f"{compiled}/ours")
        for build in builds:
            cost(build, ["-c", "from buildmatrix import elf"])
            cost(build, ["-m", "buildmatrix", "audit", "--json", sys.executable], (0, 2, 3, 4, 5))
        rows = []
        for path in chosen.files or fetched(chosen.cache):
            rows += of_facts(path.resolve(), builds)
        rows += of_state(chosen.state, builds) if chosen.state else []
        rows += of_bundles(chosen.bundles.resolve(), builds) if chosen.bundles else []
    sys.stdout.write(f"\n{'':{WIDTH}} {'before':>19} {'now':>19}  times     wanted\n")
    sys.stdout.writelines(line(row) + "\n" for row in rows)
    return 1 if any(row.verdict == "MISSED" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
