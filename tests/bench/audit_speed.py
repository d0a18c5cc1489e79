"""What reading and auditing ARM code costs, beside another checkout: ratios in one run.

    python -m tests.bench.audit_speed OTHER [FILE...] [--cache FOLDER] [--state FOLDER]
                                      [--bundles FOLDER]

OTHER is a checkout of buildmatrix with its environment in .venv. The facts of each FILE (a library
or a static one) are read by both, and the number of NEON multiplies must be the same. Without a
FILE three are fetched into the cache: OpenBLAS's static library (Debian 13, arm64) and the largest
library of onnxruntime's and of PyTorch's wheel for aarch64. `--state` is a state folder: every
bundle in its store is checked out and audited by both, each by a process of its own and all by one.
`--bundles` is a folder in which they lie already.

Of each file three things are told: the reading of its facts, new ones included, without the start
of Python and its packages; that with the start; and how long our part that knows the multiplies
takes alone, where nothing is followed. Exit code 1 where a reading or an audit misses its demand.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from buildmatrix.elf.hits import multiplies, read_code
from buildmatrix.elf.rows import program
from buildmatrix.elf.tables import Image
from buildmatrix.store import Store
from tests.proof.facts import wheel
from tests.proof.userlands import Archive, extract

ROOT = Path(__file__).parents[2]
CACHE = Path("~/.cache/buildmatrix/proof").expanduser()
FACTS_RATIO, AUDIT_RATIO, MOST_MIB = 5.0, 2.0, 300.0
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


@dataclass(frozen=True, slots=True)
class Cost:
    """A whole process."""

    seconds: float  # of CPU, in user mode and in the kernel
    mib: float  # at its peak
    output: str


def cost(build: Build, arguments: list[str], codes: tuple[int, ...] = (0,)) -> Cost:
    """One run of Python with the build's package; ends the bench where it fails."""
    environment = {**os.environ, "PYTHONPATH": str(build.root)}
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


def compared(name: str, theirs: Cost, ours: Cost, wanted: float) -> bool:
    """Prints one line; True where the demand is met."""
    ratio = theirs.seconds / ours.seconds
    met = ratio >= wanted and ours.mib <= MOST_MIB
    sys.stdout.write(
        f"{name}: {theirs.seconds:.2f} s, {theirs.mib:.0f} MiB -> {ours.seconds:.2f} s, "
        f"{ours.mib:.0f} MiB; {ratio:.1f} times, wanted {wanted:g} and at most {MOST_MIB:.0f} MiB: "
        f"{'met' if met else 'MISSED'}\n"
    )
    sys.stdout.flush()
    return met


def multiplies_alone(path: Path) -> float:
    """Seconds of CPU of what counts the multiplies; of a library, whose code is in one piece."""
    image = Image(path.read_bytes())
    readable = program(image)
    if readable is None:
        return 0.0
    start = time.process_time()
    multiplies(read_code(readable, np.array([image.entry], np.int64)))
    return time.process_time() - start


def of_facts(path: Path, theirs: Build, ours: Build) -> bool:
    for build in (theirs, ours):
        cost(build, ["-c", "from buildmatrix import elf"])  # its modules are compiled
    before, now = (cost(build, ["-c", FACTS, str(path)]) for build in (theirs, ours))
    old, new = json.loads(before.output), json.loads(now.output)
    same: bool = old["counts"] == new["counts"]
    if not same:
        sys.stdout.write(f"{path.name}: members, multiplies {old['counts']} -> {new['counts']}\n")
    read_before, read_now = (
        replace(before, seconds=old["reading"]),
        replace(now, seconds=new["reading"]),
    )
    compared(f"{path.name} with the start of Python", before, now, FACTS_RATIO)
    if path.suffix != ".a":
        alone = multiplies_alone(path)
        ratio = old["reading"] / alone
        sys.stdout.write(f"{path.name}, its multiplies alone: {alone:.2f} s, {ratio:.1f} times\n")
    return compared(path.name, read_before, read_now, FACTS_RATIO) and same


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


def of_state(state: Path, theirs: Build, ours: Build) -> bool:
    """All bundles of the store, a folder each."""
    store = Store(state / "store")
    with tempfile.TemporaryDirectory() as name:
        for key in sorted(store.stored()):
            entry = store.entry(key)
            if entry and any(record.path == MANIFEST for record in entry.files):
                store.checkout(key, Path(name) / key[:12])
        return of_bundles(Path(name), theirs, ours)


def of_bundles(folder: Path, theirs: Build, ours: Build) -> bool:
    """The bundles in a folder, each audited by a process of its own; then all of them by one."""
    bundles = sorted(path for path in folder.iterdir() if path.is_dir())
    audits = [
        [cost(build, [*AUDIT, str(one)], (0, 5)) for build in (theirs, ours)] for one in bundles
    ]
    before, now = (
        replace(runs[0], seconds=sum(one.seconds for one in runs), mib=max(one.mib for one in runs))
        for runs in zip(*audits, strict=True)
    )
    met = compared(f"{len(bundles)} bundles, a process each", before, now, AUDIT_RATIO)
    before, now = (cost(build, [*AUDIT, str(folder)], (0, 5)) for build in (theirs, ours))
    counts = [len(json.loads(one.output)["facts"]) for one in (before, now)]
    return compared(f"{len(bundles)} bundles of {counts} files", before, now, AUDIT_RATIO) and met


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("other", type=Path)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--bundles", type=Path)
    chosen = parser.parse_args()
    other = chosen.other.resolve()
    theirs, ours = Build(other, str(other / ".venv/bin/python")), Build(ROOT, sys.executable)
    files = chosen.files or fetched(chosen.cache)
    met = [of_facts(path.resolve(), theirs, ours) for path in files]
    if chosen.state:
        met.append(of_state(chosen.state, theirs, ours))
    if chosen.bundles:
        met.append(of_bundles(chosen.bundles.resolve(), theirs, ours))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
