"""`python -m tests.crash --kills 200 --shared 200 --flips 200 --rows 2000 --sizes 20`: faults."""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from buildmatrix.errors import InputError
from tests.boards import STATE
from tests.crash import rows, shared
from tests.crash.bench import Bench, forget

UNTOUCHED = ("logs",)  # words for people: nothing is read back from them


def kills(bench: Bench, count: int, dice: random.Random) -> list[str]:
    """A build killed with SIGKILL at a random moment, on one state that is never cleaned."""
    found: list[str] = []
    began = time.monotonic()
    forget(bench.state / "store")
    bench.run("build")
    whole = time.monotonic() - began
    for number in range(count):
        forget(bench.state / "store")
        progress("kills", number, found)
        after = dice.uniform(0, whole)
        bench.run("build", killed_after=after)
        found += [f"kill {number} after {after:.2f} s: {fault}" for fault in bench.faults()]
    return found


def progress(what: str, number: int, found: list[str]) -> None:
    """A line now and then: a night that is broken off says how far it came."""
    if number and number % 20 == 0:
        print(f"{number} {what} so far: {len(found)} faults", *found[-3:], sep="\n", flush=True)


def flips(bench: Bench, count: int, dice: random.Random) -> list[str]:
    """One bit of one file flipped; each time the state is whole before."""
    pristine = bench.root / "pristine"
    found: list[str] = []
    subprocess.run(["cp", "-a", bench.state, pristine], check=True)  # with owners
    for number in range(count):
        shutil.rmtree(bench.state)
        subprocess.run(["cp", "-a", pristine, bench.state], check=True)
        progress("flipped bits", number, found)
        file, bit = flip(bench.state, dice)
        found += [f"flip {number} of bit {bit} in {file}: {fault}" for fault in bench.faults()]
    return found


def flip(state: Path, dice: random.Random) -> tuple[str, int]:
    files = sorted(
        path
        for path in state.rglob("*")
        if path.is_file() and path.stat().st_size and not set(UNTOUCHED) & set(path.parts)
    )
    path = dice.choice(files)
    data = bytearray(path.read_bytes())
    bit = dice.randrange(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    mode = path.stat().st_mode
    path.chmod(0o600)
    path.write_bytes(data)
    path.chmod(mode)
    return str(path.relative_to(state)), bit


def full(bench: Bench, toolchains: Path, count: int) -> list[str]:
    """The state on a file system of so many sizes; then it gets room and all must be well."""
    found: list[str] = []
    needed = sum(bench.most.values()) * 3 >> 10
    for number in range(count):
        shutil.rmtree(bench.state)
        bench.state.mkdir()
        progress("full disks", number, found)
        kib = 60 + needed * number // count
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(bench.state)], check=True
        )
        try:
            bench.begin(toolchains)
            ended = bench.run("build")
            if "Traceback" in ended.words:
                found.append(f"{kib} KiB: {ended.words[-600:]}")
            elif ended.code != 0 and "space" not in ended.words and "full" not in ended.words:
                found.append(f"{kib} KiB: ends with {ended.code}: {ended.words[-400:]}")
            remount = ["mount", "-o", "remount,size=64m", str(bench.state)]
            subprocess.run(remount, check=True)
            found += [f"{kib} KiB, then room: {fault}" for fault in bench.faults()]
        except (OSError, InputError) as error:
            print(f"{kib} KiB: not even a beginning fits: {error}")
        finally:
            subprocess.run(["umount", str(bench.state)], check=True)
    return found


def main() -> int:
    """Run what was asked for; 1 when there was a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    for name in ("kills", "shared", "flips", "rows", "sizes", "seed"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--toolchains", type=Path, default=STATE / "toolchains")
    asked = parser.parse_args()
    dice = random.Random(asked.seed)
    with tempfile.TemporaryDirectory(prefix="buildmatrix-crash-") as folder:
        root = Path(folder)
        bench = Bench(root, root / "state")
        bench.prepare(asked.toolchains)
        found = flips(bench, asked.flips, dice) if asked.flips else []
        print(f"{asked.flips} flipped bits: {len(found)} faults", *found, sep="\n", flush=True)
        shown, missed = rows.bits(root, asked.rows, dice)
        print(f"{asked.rows} flipped bits of results: {len(shown)} faults", *shown, sep="\n")
        print(f"in {missed} of them an index hid rows without a word", flush=True)
        killed = kills(bench, asked.kills, dice) if asked.kills else []
        print(f"{asked.kills} kills: {len(killed)} faults", *killed, sep="\n", flush=True)
        both: list[str] = []
        if asked.shared:
            both = list(shared.kills(root, asked.toolchains, asked.shared, dice))
        print(
            f"{asked.shared} kills over a shared store: {len(both)} faults",
            *both,
            sep="\n",
            flush=True,
        )
        disks = full(bench, asked.toolchains, asked.sizes) if asked.sizes else []
        print(f"{asked.sizes} full disks: {len(disks)} faults", *disks, sep="\n", flush=True)
    return int(bool(found or shown or killed or both or disks))


if __name__ == "__main__":
    sys.exit(main())
