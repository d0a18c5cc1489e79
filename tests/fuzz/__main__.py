"""Fuzzes every reader for a while, each in a process of its own, and says what came of it.

`python -m tests.fuzz --minutes 60 [--largest BYTES] [NAME ...]`. An input that raises anything but
the tool's own errors, takes over 10 s of CPU or 500 MB beside what Python has already, is kept
below .buildmatrix/fuzz, shown, and makes the whole exit with 1.
"""

from __future__ import annotations

import argparse
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, seed, settings

from buildmatrix.errors import BuildmatrixError
from tests.fuzz.mutation import mutated
from tests.fuzz.readers import READERS

if TYPE_CHECKING:
    from tests.fuzz.reader import Reader

SECONDS, MEGABYTES = 10, 500  # for one input, of CPU and of memory
FAULTS = Path(".buildmatrix/fuzz")
ROUND = 200  # inputs between two looks at the clock


class TooLong(BaseException):
    """An input took more CPU than any may; no handler of the tool's takes it for an error."""


@dataclass
class Tally:
    """What one reader's inputs came to."""

    inputs: int = 0
    refused: int = 0
    faults: int = 0
    seconds: float = 0.0
    megabytes: float = 0.0


def main() -> int:
    """Run the named readers, or all, each for its share of the time; 1 when one has a fault."""
    arguments = _arguments()
    if arguments.alone:
        return _alone(READERS[arguments.names[0]], arguments.minutes * 60, arguments.largest)
    names = arguments.names or list(READERS)
    print(f"{'reader':<12} {'inputs':>8} {'refused':>8} {'slowest':>8} {'most':>7} {'faults':>7}")
    failed = 0
    for name in names:
        words = [f"--minutes={arguments.minutes / len(names)}", f"--largest={arguments.largest}"]
        command = [sys.executable, "-m", "tests.fuzz", "--alone", *words, name]
        done = subprocess.run(command, check=False)
        if done.returncode not in (0, 1):
            print(f"{name:<12} ended with {done.returncode}")
        failed += done.returncode != 0
    return int(failed > 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="for all readers together")
    parser.add_argument("--largest", type=int, default=1_000_000, help="bytes of an input")
    parser.add_argument("--alone", action="store_true", help="one reader, in this process")
    parser.add_argument("names", nargs="*", help="which readers")
    return parser.parse_args()


def _alone(reader: Reader, seconds: float, largest: int) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    signal.signal(signal.SIGPROF, _stop)
    tally, end = Tally(), time.monotonic() + seconds
    while tally.inputs == 0 or (time.monotonic() < end and tally.faults < 10):
        _round(reader, largest, tally)
    print(
        f"{reader.name:<12} {tally.inputs:>8} {tally.refused:>8} {tally.seconds:>6.1f} s "
        f"{tally.megabytes:>4.0f} MB {tally.faults:>7}",
        flush=True,
    )
    return int(tally.faults > 0)


def _stop(*_: object) -> None:
    raise TooLong(f"more than {SECONDS} s of CPU")


def _round(reader: Reader, largest: int, tally: Tally) -> None:
    @seed(random.getrandbits(64))
    @settings(
        max_examples=ROUND,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(mutated(reader.seeds(), largest))
    def each(data: bytes) -> None:
        _one(reader, data, tally)

    each()


def _one(reader: Reader, data: bytes, tally: Tally) -> None:
    tally.inputs += 1
    before, started = _resident("VmRSS"), time.process_time()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew, see proc(5)
    with tempfile.TemporaryDirectory(prefix="buildmatrix-fuzz-") as folder:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            reader.read(data, Path(folder))
        except BuildmatrixError:
            tally.refused += 1
        except (Exception, TooLong) as error:  # noqa: BLE001 - finding them is what this is for
            _fault(reader, data, tally, error)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    tally.seconds = max(tally.seconds, time.process_time() - started)
    used = (_resident("VmHWM") - before) / 1024
    tally.megabytes = max(tally.megabytes, used)
    if used > MEGABYTES:
        _fault(reader, data, tally, MemoryError(f"{used:.0f} MB"))


def _fault(reader: Reader, data: bytes, tally: Tally, error: BaseException) -> None:
    tally.faults += 1
    FAULTS.mkdir(parents=True, exist_ok=True)
    file = FAULTS / f"{reader.name}-{tally.faults}"
    file.write_bytes(data)
    print(f"{reader.name}: {file}, {len(data)} bytes", flush=True)
    traceback.print_exception(error, limit=-6, file=sys.stdout)


def _resident(what: str) -> int:
    """KiB of memory of this process: now (VmRSS), or at the most (VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
