"""One file of Caffe changed: compiled with what the compiler's cache keeps, against from nothing.

    python -m tests.bench.patched --from STATE

`--from` is a state folder in which Caffe's dependencies are stored. Caffe is compiled three times
with the same recipe but for one line: with an empty cache, with that line in one source file, and,
for what the rest of the work takes, with the line in no file that is compiled.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.at_once import say

ROOT = Path(__file__).parents[2]
CELL = "caffe-openblas-0.3.34"
WORK = "build:caffe@armv7hf-bookworm"
CHANGED = "src/caffe/layers/pooling_layer.cpp"
ASKED = 10


def project(root: Path) -> None:
    """This project's files, of which the recipes may be changed."""
    shutil.copytree(ROOT / "recipes", root / "recipes")
    for name in ("toolchains", "models"):
        (root / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "matrix.yaml", root)


def changed(root: Path, file: str) -> None:
    """Let the recipe of Caffe add a function to one of its files."""
    script = root / "recipes" / "caffe" / "build.sh.j2"
    original = (ROOT / "recipes" / "caffe" / "build.sh.j2").read_text()
    before, configure, after = original.partition("cmake -S")
    line = f"echo 'extern \"C\" int added_by_bench() {{ return 1; }}' >> {file}\n"
    script.write_text(before + line + configure + after)


def seconds(root: Path, state: Path) -> float:
    """Build the cell; what the compile of Caffe took."""
    argv = [sys.executable, "-m", "buildmatrix", "build", "--json", "--only", CELL]
    argv += ["--matrix", str(root / "matrix.yaml"), "--state", str(state)]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True)
    actions = {row["id"]: row for row in json.loads(done.stdout)["actions"]}
    work = actions[WORK]
    if work["state"] != "done":
        raise SystemExit(f"{WORK} is {work['state']}, not compiled")
    return float(work["seconds"])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--from", dest="origin", type=Path, required=True)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="buildmatrix-patched-") as name:
        root, state = Path(name) / "project", Path(name) / "state"
        root.mkdir()
        for kept in ("sources", "toolchains", "store"):
            shutil.copytree(chosen.origin / kept, state / kept, symlinks=True)
        project(root)
        changed(root, "NOTES")
        cold = seconds(root, state)
        say(f"from nothing: {cold:.1f} s")
        changed(root, CHANGED)
        patched = seconds(root, state)
        changed(root, "OTHER-NOTES")
        rest = seconds(root, state)
        say(
            f"{CHANGED} changed: {patched:.1f} s, {cold / patched:.1f} times faster; asked: {ASKED}"
        )
        say(f"nothing changed that is compiled: {rest:.1f} s, {cold / rest:.1f} times faster")
        return int(cold < ASKED * patched)


if __name__ == "__main__":
    sys.exit(main())
