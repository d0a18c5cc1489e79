"""What reading and auditing ARM code costs, beside another checkout: ratios in one run.

    python -m tests.bench.audit_speed OTHER FILE... [--state FOLDER]

OTHER is a checkout of buildmatrix with its environment in .venv. The facts of each FILE (a library
or a static one) are read by both, and the number of NEON multiplies must be the same. `--state` is
a state folder: every bundle in its store is checked out and audited by both, each in one process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from buildmatrix.store import Store

ROOT = Path(__file__).parents[2]
FACTS_RATIO, AUDIT_RATIO, MOST_MIB = 5.0, 2.0, 300.0
MANIFEST = "manifest.json"  # is in every bundle, and in nothing else that a store has
FACTS = """\
import sys
from pathlib import Path
from buildmatrix import elf
facts = elf.read_file(Path(sys.argv[1]), "file")
print(len(facts), sum(one.neon_instructions or 0 for one in facts))
"""
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


def of_facts(path: Path, theirs: Build, ours: Build) -> bool:
    before, now = (cost(build, ["-c", FACTS, str(path)]) for build in (theirs, ours))
    same = before.output == now.output
    if not same:
        sys.stdout.write(f"{path.name}: members, multiplies {before.output} -> {now.output}\n")
    return compared(path.name, before, now, FACTS_RATIO) and same


def of_bundles(state: Path, theirs: Build, ours: Build) -> bool:
    """All bundles of the store in one folder, a folder each."""
    store = Store(state / "store")
    with tempfile.TemporaryDirectory() as name:
        for key in sorted(store.stored()):
            entry = store.entry(key)
            if entry and any(record.path == MANIFEST for record in entry.files):
                store.checkout(key, Path(name) / key[:12])
        number = len(list(Path(name).iterdir()))
        before, now = (cost(build, [*AUDIT, name], (0, 5)) for build in (theirs, ours))
    counts = [len(json.loads(one.output)["facts"]) for one in (before, now)]
    return compared(f"{number} bundles of {counts} files", before, now, AUDIT_RATIO)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("other", type=Path)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--state", type=Path)
    chosen = parser.parse_args()
    other = chosen.other.resolve()
    theirs, ours = Build(other, str(other / ".venv/bin/python")), Build(ROOT, sys.executable)
    met = [of_facts(path.resolve(), theirs, ours) for path in chosen.files]
    if chosen.state:
        met.append(of_bundles(chosen.state, theirs, ours))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
