"""Works at once against one after the other: the same cells from nothing, as a ratio of wall times.

    python -m tests.bench.at_once --from STATE [--only GLOB ...] [--other FOLDER --other-from STATE]

`--from` is a state folder whose sources and image records are taken along, so that neither a
download nor an image is measured. Both builds must make the same bytes, or the exit is 1. `--other`
is another checkout of buildmatrix with an environment in .venv, which is held against this one in
the place of one work after the other; its bytes may differ, as its recipes do.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.nouns import FileRecord

ROOT = Path(__file__).parents[2]
DEMO = ("caffe-openblas-0.3.21", "caffe-openblas-0.3.34", "caffe-openblas-0.3.34-neon")


COMPILERS = ("cc1", "cc1plus")
LOOK = 0.3  # seconds between two looks at what runs


@dataclass(frozen=True, slots=True)
class Side:
    """Who builds, and the state folder from which downloads and images are taken along."""

    home: Path  # the checkout
    command: tuple[str, ...]
    matrix: Path
    origin: Path
    readable: bool = True  # whether this checkout knows its store


@dataclass(frozen=True, slots=True)
class Built:
    """A build from nothing."""

    seconds: float
    busy: float  # share of the cores' time from the first compile to the last: a quiet machine's
    files: dict[str, tuple[FileRecord, ...]]  # by key


@dataclass(frozen=True, slots=True)
class Ticks:
    """What all cores did since the machine began; waiting for disks is idle."""

    idle: int
    all: int


def ticks() -> Ticks:
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    each = [int(field) for field in fields[:8]]
    return Ticks(each[3] + each[4], sum(each))


def compiling() -> bool:
    """Whether a compiler proper of GCC runs anywhere on this machine."""
    for process in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):  # it has ended
            if process.read_text().strip() in COMPILERS:
                return True
    return False


def busy_while_compiling(argv: Sequence[str], home: Path) -> float:
    """Run a checkout's command; the share of all cores' time from its first compile to its last."""
    # `inv` takes its commands from the folder that it is called in.
    process = subprocess.Popen(argv, cwd=home, env={**os.environ, "PYTHONPATH": str(home)})
    first = last = ticks()
    seen = False
    while process.poll() is None:
        if compiling():
            first, last = first if seen else ticks(), ticks()
            seen = True
        time.sleep(LOOK)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, argv)
    return 1 - (last.idle - first.idle) / max(1, last.all - first.all)


def built(side: Side, only: Sequence[str], *flags: str) -> Built:
    """Build cells in a state folder of their own, with nothing made and no compiler cache."""
    with tempfile.TemporaryDirectory(prefix="buildmatrix-at-once-") as name:
        state = Path(name) / "state"
        for kept in ("sources", "toolchains"):
            shutil.copytree(side.origin / kept, state / kept)
        globs = [word for glob in only for word in ("--only", glob)]
        places = ["--matrix", str(side.matrix), "--state", str(state)]
        began = time.monotonic()
        busy = busy_while_compiling([*side.command, "build", *places, *globs, *flags], side.home)
        seconds = time.monotonic() - began
        store = Store(state / "store")
        keys = store.stored() if side.readable else ()
        entries = [entry for key in keys if (entry := store.entry(key))]
        return Built(seconds, busy, {entry.key: entry.files for entry in entries})


def say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def told(name: str, one: Built) -> Built:
    say(f"{name}: {one.seconds:.0f} s, cores busy {one.busy:.0%} from first to last compile")
    return one


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--from", dest="origin", type=Path, required=True)
    parser.add_argument("--only", action="append")
    parser.add_argument("--matrix", type=Path, default=ROOT / "matrix.yaml")
    parser.add_argument("--other", type=Path, help="another checkout, with its .venv")
    parser.add_argument("--other-from", type=Path, help="a state folder of that one")
    chosen = parser.parse_args()
    only = chosen.only or DEMO
    here = (sys.executable, "-m", "buildmatrix")
    ours = Side(ROOT, here, chosen.matrix.resolve(), chosen.origin.resolve())
    many = told("at once", built(ours, only))
    if chosen.other:
        home, origin = chosen.other.resolve(), chosen.other_from.resolve()
        command = (str(home / ".venv/bin/inv"),)
        theirs = Side(home, command, home / "matrix.yaml", origin, readable=False)
        one = told(str(chosen.other), built(theirs, only))
    else:
        one = told("one after the other", built(ours, only, "--works", "1"))
    say(f"wall {many.seconds / one.seconds:.2f} of it; asked: at most 0.80")
    if chosen.other:
        return 0
    same = many.files == one.files
    say(f"{len(many.files)} works, {'the same bytes' if same else 'NOT the same bytes'}")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
