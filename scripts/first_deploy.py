"""A first deploy to a virtual Pi 3 against rsync -az, without a build: both in turns, in one run.

    python scripts/first_deploy.py [--rounds N] [--link 20mbit/20ms]

What travels are Debian's own armhf libraries, 23 MB in 17 files. Printed are seconds over the link
and the CPU seconds of the emulator, each as median and least of all rounds, then how ours stand to
rsync's. scripts/measure-deploy does the same with variants that were built. Exit 1 when ours takes
longer.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import measure_deploy

from buildmatrix import deploy, device, ssh
from buildmatrix.nouns import Bundle, FileRecord
from buildmatrix.state import State
from buildmatrix.upstreams import debian_mirror
from buildmatrix.virtual import apt
from buildmatrix.virtual import link as links
from tests.contract.deploy_board import Memory
from tests.fakes import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.nouns import BoardAddress

LIBRARIES = (
    "libboost-filesystem1.74.0",
    "libboost-thread1.74.0",
    "libgfortran5",
    "libgflags2.2",
    "libgoogle-glog0v6",
    "libhdf5-103-1",
    "libleveldb1d",
    "libopenblas0-pthread",
    "libopencv-core406",
    "libopencv-imgproc406",
    "libprotobuf32",
    "libsnappy1v5",
    "libstdc++6",
)
TICKS = 100  # a second, of a process's CPU time in /proc


def main() -> int:
    asked = argparse.ArgumentParser()
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--link", default="20mbit/20ms", help="rate each way, round trip")
    options = asked.parse_args()
    shape = links.parse(options.link)
    assert shape is not None, "a link must be slow to be measured"
    with tempfile.TemporaryDirectory() as scratch, measure_deploy.board() as far:
        store, bundle, folder = fetched(Path(scratch))
        (Path(scratch) / "rsync").mkdir()
        measure_deploy.put_rsync_on(far.target, Path(scratch) / "rsync")
        steps: dict[str, list[tuple[float, float]]] = {"buildmatrix": [], "rsync -az": []}
        for _ in range(options.rounds):
            for name, one in steps.items():
                clean = "cd && rm -rf .buildmatrix there && mkdir there && sync"
                measure_deploy.say(far.target, clean)
                with measure_deploy.slow(far.target, shape) as link, timed() as step:
                    target = measure_deploy.replace(far.target, port=link.port)
                    if name == "buildmatrix":
                        put(bundle, store, target)
                    else:
                        far.rsync(bundle, folder, target)
                one.append((step[0], step[1]))
                sys.stderr.write(f"{name}: {step[0]:.1f} s, {step[1]:.1f} s of CPU\n")
    return told(steps)


def fetched(scratch: Path) -> tuple[Memory, Bundle, Path]:
    """The libraries as a bundle, and as a folder."""
    debs, root, folder = scratch / "debs", scratch / "root", scratch / "bundle"
    folder.mkdir()
    apt.Apt(scratch / "apt", mirror=debian_mirror(), architecture="armhf").alone(LIBRARIES, debs)
    for deb in debs.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
    store, records = Memory(), []
    for file in sorted(root.rglob("*.so*")):
        if file.is_file() and not file.is_symlink():
            data = file.read_bytes()
            (folder / file.name).write_bytes(data)
            records.append(FileRecord(f"lib/{file.name}", store.add(data), len(data)))
    return (
        store,
        Bundle("c", hashlib.sha256(repr(records).encode()).hexdigest(), (*records,)),
        folder,
    )


def put(bundle: Bundle, store: Memory, target: BoardAddress) -> None:
    """As `inv deploy` does with a board that it never met."""
    with ssh.connect(target, timeout=30, known_hosts=None) as line:
        reporter = RecordingReporter()
        assert deploy.meet(line, [bundle], store, fits, reporter=reporter, subject="pi3")


def fits(answer: bytes) -> bool:
    """As a gate that lets it through."""
    device.parse("pi3", answer.decode(errors="replace"))
    return deploy.read_listing(answer).fresh


@contextmanager
def timed() -> Iterator[list[float]]:
    """Filled with the seconds that pass, and with those of CPU that the emulator takes in them."""
    pid = (State(measure_deploy.BOARDS).virtual_boards / measure_deploy.BOARD / "pid").read_text()

    def now() -> tuple[float, float]:
        fields = Path(f"/proc/{pid.strip()}/stat").read_text().rpartition(")")[2].split()
        return time.monotonic(), (int(fields[11]) + int(fields[12])) / TICKS

    step: list[float] = []
    before = now()
    yield step
    step += [after - begun for begun, after in zip(before, now(), strict=True)]


def told(steps: dict[str, list[tuple[float, float]]]) -> int:
    """Print the table; 0 when the median of ours is no longer than rsync's."""
    ratios = []
    for column, what in enumerate(("seconds", "CPU seconds")):
        medians = []
        for name, one in steps.items():
            values = [step[column] for step in one]
            medians.append(statistics.median(values))
            words = f"median {medians[-1]:.2f}, least {min(values):.2f}"
            sys.stdout.write(f"{name:12} {what:12} {words}\n")
        ratios.append(medians[0] / medians[1])
        sys.stdout.write(f"{'':12} {what:12} {ratios[-1]:.2f} of rsync's\n")
    return 0 if ratios[0] <= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
