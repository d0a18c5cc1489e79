"""scripts/audit-proof: build every case, run it, ask the audit, write the document.

    audit-proof [--cache DIR] [--out FILE] [--whole] [--only WORD ...]

Exit code 0 when verdict and outcome agree everywhere but in the cases that say themselves why no
file tells it, and those are named by the audit; 1 when not.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tests.proof import boards, cases, trial, userlands
from tests.proof.compilers import Workshop
from tests.proof.table import document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.proof.boards import Board
    from tests.proof.case import Case
    from tests.proof.trial import Trial

RAN_ON = (
    "Compilers: GCC 12.2 and clang 14 of Debian 12, GCC 14.2 and clang 19 of Debian 13, zig 0.16.0"
    " from PyPI, Rust 1.63 of Debian 12; linkers: GNU ld, gold, lld 14 and 19, mold."
    " Userlands: libc6, libgcc-s1,"
    " libstdc++6, libgomp1 and libatomic1 of Debian 11 (glibc 2.31), 12 (2.36) and 13 (2.41), armhf"
    " and arm64. Processors: qemu-user 10.0.13's cortex-a9, a7, a15 and max, cortex-a53, a72, a76"
    " and max. Not run: pages of 16 KiB (QEMU's user mode has the host's), and 32-bit state of a"
    " Cortex-A53 or A72 (qemu-arm knows neither; its `max` stands for ARMv8)."
)
WORKERS = 3


def main(words: Sequence[str]) -> int:
    options = _options(words)
    options.cache.mkdir(parents=True, exist_ok=True)
    workshop = Workshop(options.cache)
    workshop.prepare()
    trials, unbuilt = run(workshop, _boards(options.cache), options.only, whole=options.whole)
    options.out.write_text(document(trials, unbuilt, RAN_ON))
    parted = [one for one in trials if not one.agreement.agrees]
    for one in parted:
        _say(f"{one.agreement.value}: {one.case.name} on {one.board}: {one.outcome.kind.value}")
    _say(
        f"{len(trials)} runs of {len({t.case.name for t in trials})} cases, {len(parted)} disagree,"
        f" {len(unbuilt)} not built: {options.out}"
    )
    return 1 if parted or unbuilt else 0


def run(
    workshop: Workshop, there: Sequence[Board], only: Sequence[str], *, whole: bool
) -> tuple[list[Trial], dict[str, str]]:
    """Every trial in the cases' order, and the cases that could not be built, with why."""
    unbuilt: dict[str, str] = {}

    def one(case: Case) -> list[Trial]:
        try:
            tree = workshop.build(case)
        except subprocess.CalledProcessError as exc:
            unbuilt[case.name] = str(exc.stderr).strip().splitlines()[-1][:200]
            return []
        known = workshop.folder(case) / "outcomes.json"
        return list(trial.run(case, tree, trial.boards_of(case, there, whole=whole), known))

    wanted = [case for case in cases.every() if not only or any(w in case.name for w in only)]
    with ThreadPoolExecutor(WORKERS) as pool:
        return [one for rows in pool.map(one, wanted) for one in rows], unbuilt


def _boards(cache: Path) -> list[Board]:
    lands = [
        userlands.unpack(cache, suite, machine)
        for suite in userlands.SUITES
        for machine in userlands.ARCHITECTURES
    ]
    for land in lands:
        boards.install(land, boards.qemu_of_debian(cache, land.machine))
    return boards.boards(lands)


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/audit-proof")
    home = Path("~/.cache/buildmatrix/proof").expanduser()
    parser.add_argument("--cache", type=Path, default=home, help="compilers, userlands, trees")
    parser.add_argument("--out", type=Path, default=Path("docs/audit-proof.md"))
    parser.add_argument("--whole", action="store_true", help="every case on every board")
    parser.add_argument("--only", nargs="*", default=(), help="parts of the cases' names")
    return parser.parse_args(words)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
