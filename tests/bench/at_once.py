"""Works at once against one after the other: the same cells from nothing, as a ratio of wall times.

    python -m tests.bench.at_once --from STATE [--only GLOB ...] [--matrix FILE]

`--from` is a state folder whose sources and image records are taken along, so that neither a
download nor an image is measured. Both builds must make the same bytes, or the exit is 1.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.nouns import FileRecord

ROOT = Path(__file__).parents[2]
DEMO = ("caffe-openblas-0.3.21", "caffe-openblas-0.3.34", "caffe-openblas-0.3.34-neon")


@dataclass(frozen=True, slots=True)
class Built:
    """A build from nothing."""

    seconds: float
    idle: float  # share of the time of all cores in which they had nothing to do
    files: dict[str, tuple[FileRecord, ...]]  # by key


def idle_and_all() -> tuple[int, int]:
    """Ticks of all cores since the machine began: idle, waiting for disks included, and in all."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    ticks = [int(field) for field in fields[:8]]
    return ticks[3] + ticks[4], sum(ticks)


def built(matrix: Path, origin: Path, only: Sequence[str], *flags: str) -> Built:
    """Build cells in a state folder of their own, with nothing made and no compiler cache."""
    with tempfile.TemporaryDirectory(prefix="buildmatrix-at-once-") as name:
        state = Path(name) / "state"
        for kept in ("sources", "toolchains"):
            shutil.copytree(origin / kept, state / kept)
        globs = [word for glob in only for word in ("--only", glob)]
        argv = [sys.executable, "-m", "buildmatrix", "build", "--matrix", str(matrix), *globs]
        began, (idle, ticks) = time.monotonic(), idle_and_all()
        subprocess.run([*argv, "--state", str(state), *flags], check=True)
        seconds, (idle_now, ticks_now) = time.monotonic() - began, idle_and_all()
        store = Store(state / "store")
        entries = [entry for key in store.stored() if (entry := store.entry(key))]
        share = (idle_now - idle) / max(1, ticks_now - ticks)
        return Built(seconds, share, {entry.key: entry.files for entry in entries})


def say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--from", dest="origin", type=Path, required=True)
    parser.add_argument("--only", action="append")
    parser.add_argument("--matrix", type=Path, default=ROOT / "matrix.yaml")
    chosen = parser.parse_args()
    only = chosen.only or DEMO
    many = built(chosen.matrix, chosen.origin, only)
    say(f"at once: {many.seconds:.0f} s, {many.idle:.0%} of the machine idle")
    one = built(chosen.matrix, chosen.origin, only, "--works", "1")
    say(f"one after the other: {one.seconds:.0f} s, {one.idle:.0%} of the machine idle")
    say(f"wall {many.seconds / one.seconds:.2f} of one after the other; asked: at most 0.80")
    same = many.files == one.files
    say(f"{len(many.files)} works, {'the same bytes' if same else 'NOT the same bytes'}")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
