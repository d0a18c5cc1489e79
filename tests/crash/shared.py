"""Builds of two machines over one shared store, killed: nothing wrong is served, nothing grows."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from typing import TYPE_CHECKING

from tests.crash.bench import Bench, forget

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

DAYS = 2 * 86_400  # what a dead writer left is left for a day


def store(root: Path) -> Path:
    """Where the shared one is."""
    return root / "shared"


def machines(root: Path, toolchains: Path) -> tuple[Bench, Bench]:
    """Two projects that are the same, each with a state of its own, over one store."""
    benches = []
    for name in ("one", "two"):
        place = root / name
        place.mkdir()
        bench = Bench(place, place / "state", store(root))
        bench.prepare(toolchains)
        benches.append(bench)
    one, two = benches
    two.most = one.most  # which made all of it; two was given it
    return one, two


def kills(root: Path, toolchains: Path, count: int, dice: random.Random) -> Iterator[str]:
    """Both build at once, from what is left of the last time; one of them, or both, are killed.

    In half of the rounds one writer is alone, and in half the shared store has no entries."""
    pair, shared = machines(root, toolchains), store(root)
    began = time.monotonic()
    forget(pair[0].state / "store")
    pair[0].run("build")
    whole = 2 * (time.monotonic() - began)
    for number in range(count):
        for bench in pair:
            forget(bench.state / "store")
        if dice.random() < 0.5:
            forget(shared)
        children = {bench.start("build"): bench for bench in pair[: dice.choice((1, 2))]}
        time.sleep(dice.uniform(0, whole))
        killed = dice.choice((list(children)[:1], list(children)))
        for child in killed:
            os.kill(child, signal.SIGKILL)
        for child, bench in children.items():
            ended = bench.ended(child)
            if child not in killed and ended.code != 0:
                yield f"kill {number}: the other ends with {ended.code}: {ended.words[-400:]}"
        for bench in pair:
            yield from (f"kill {number}: {fault}" for fault in bench.faults())
        yield from (f"kill {number}: {fault}" for fault in faults(shared))


def faults(shared: Path) -> Iterator[str]:
    """What must not be in the shared store: content under another's name, and what is left over."""
    for path in (shared / "objects").rglob("*"):
        if path.is_file():
            name = path.parent.name + path.name
            if hashlib.sha256(path.read_bytes()).hexdigest() != name:
                yield f"shared content {name} is something else"
    left = list((shared / "tmp").glob("*"))
    if len(left) > 4:  # of the two that were killed, and of two before them
        yield f"parts are left in the shared store: {len(left)}"
    for path in left:
        then = time.time() - DAYS
        os.utime(path, (then, then))
