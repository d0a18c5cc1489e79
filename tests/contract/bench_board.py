"""A board of this machine's own shell, for the bench tests: fake bundles, a fake /sys."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from buildmatrix import bench
from buildmatrix.agent import PREFIX
from buildmatrix.bench.order import order
from buildmatrix.bench.request import Entrant, Request
from buildmatrix.bench.verdict import Golden
from buildmatrix.nouns import DeviceInfo
from tests.fakes import LocalShell, RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from buildmatrix.protocols import CommandResult

TTL = 12  # seconds of silence after which a lease of these tests is stale; one beat a second
DIGEST = {"one": "1" * 64, "two": "2" * 64}
GOLDEN = Golden((0.25, 0.75), {"float32": 1e-3})
DEVICE = DeviceInfo(
    name="pi3",
    model="Raspberry Pi 3 Model B Rev 1.2",
    kernel="6.1",
    machine="armv7l",
    elf_machine="EM_ARM",
    cpu_parts=("0xd03",),
    features=frozenset({"neon", "vfpv4"}),
    cores=4,
    memory_kib=1000000,
    memory_available_kib=900000,
    disk_free_kib=9000000,
    libc="2.36",
    emulated="device tree says 'linux,dummy-virt'",
    load1=0.1,
)

RUNNER = r"""#!/bin/sh
while [ $# -gt 0 ]; do case $1 in
    --model) model=$2 ;; --batch) batch=$2 ;; --passes) passes=$2 ;;
    --warmup) warmup=$2 ;; --threads) threads=$2 ;; esac; shift 2; done
[ -d "$model" ] || { echo "no model in $model" >&2; exit 4; }
echo "$(basename "$(readlink -f "$model/..")" | cut -c 1) $batch" >> "$HOME/calls"
echo 'WARNING: a "quoted" \ word é' >&2
peak=900
%s
samples=$(i=0; while [ $i -lt $passes ]; do printf '%%s1000000' "$c"; c=,; i=$((i+1)); done)
printf '{"version":1,"engine":"fake","batch":%%s,"threads":%%s,"passes":%%s,"warmup":%%s,' \
    $batch $threads $passes $warmup
printf '"status":"ok","message":"","first_pass_ns":5,"samples_ns":[%%s],' $samples
printf '"peak_rss_kib":%%s,"instructions":12345,"page_faults_major":0,"output":[0.25,0.75],' $peak
printf '"batch_max_abs_diff":0,"repeat_identical":true}\n'
"""


class Board(LocalShell):
    """A LocalShell with a /sys of its own, under sh or under busybox and its applets alone."""

    def __init__(self, home: Path, shell: str = "sh", **environment: str) -> None:
        super().__init__(home)
        self.shell = shell
        self.environment = environment
        self.tools = home / "tools"  # stand before all others on the PATH
        self.tools.mkdir(exist_ok=True)
        applets = home / "applets"
        if shell == "busybox" and not applets.exists():
            applets.mkdir()
            subprocess.run(["busybox", "--install", "-s", applets], check=True)
        self.path = f"{self.tools}:{applets if shell == 'busybox' else os.environ['PATH']}"
        cpu = self.sys / "devices/system/cpu/cpu0/cpufreq"
        for name, value in {
            "scaling_governor": "ondemand",
            "scaling_max_freq": "1200000",
            "scaling_cur_freq": "1200000",
        }.items():
            self.put(cpu / name, value)

    @property
    def sys(self) -> Path:
        return self.home / "sys"

    @property
    def run_folder(self) -> Path:
        return self.home / PREFIX / "runs" / "r1"

    def put(self, path: Path, value: str) -> None:
        """A file of the fake /sys, unless it is there."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(value + "\n")

    def tool(self, name: str, script: str) -> None:
        """A program of ours that the board's scripts find first; see `with_tools`."""
        (self.tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.tools / name).chmod(0o755)

    @property
    def governor(self) -> str:
        file = self.sys / "devices/system/cpu/cpu0/cpufreq/scaling_governor"
        return file.read_text().strip()

    def run(
        self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
    ) -> CommandResult:
        settings = {
            "PATH": self.path,
            "BUILDMATRIX_SYS": self.sys,
            "BUILDMATRIX_TTL": TTL,
        } | self.environment
        exports = " ".join(f"{k}={shlex.quote(str(v))}" for k, v in settings.items())
        whole = f"export {exports}; exec sh -c {shlex.quote(script)}"
        return super().run(whole, timeout=timeout, stdin=stdin)


SHELLS = ["sh", "busybox"] if shutil.which("busybox") else ["sh"]
# For tests with programs of their own: busybox looks among its applets before the PATH.
with_tools = pytest.mark.parametrize("shell", ["sh"], indirect=True)


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Board]:
    board = Board(tmp_path, request.param)
    bundle(tmp_path, "one")
    bundle(tmp_path, "two")
    yield board
    bench.cancel(board)


def bundle(home: Path, cell: str, extra: str = "") -> None:
    """A bundle whose runner is a shell script; `extra` runs before it prints its line."""
    tree = home / PREFIX / "bundles" / DIGEST[cell]
    (tree / "bin").mkdir(parents=True, exist_ok=True)
    (tree / "model").mkdir(exist_ok=True)
    (tree / "bin/runner").write_text(RUNNER % extra)
    (tree / "bin/runner").chmod(0o755)


def asked(**changes: Any) -> Request:
    made = Request(
        run="r1",
        model="face-cnn",
        entrants=(Entrant("one", DIGEST["one"], {"flags": "-O2"}), Entrant("two", DIGEST["two"])),
        batches=(1, 2),
        passes=3,
        warmup=1,
        threads=2,
        seed=7,
        owner="tester@desk",
        tool="0.1.0",
    )
    return replace(made, **changes)


def only(cell: str, **changes: Any) -> Request:
    return asked(entrants=(Entrant(cell, DIGEST[cell]),), **changes)


def collect(shell: LocalShell, **changes: Any) -> bench.Collected:
    settings: dict[str, Any] = {"reporter": RecordingReporter(), "deadline": 300.0, "poll": 0.05}
    return bench.collect(shell, **(settings | changes))


def calls(shell: LocalShell) -> list[str]:
    """What the fake runners were asked for, in order: bundle and batch."""
    return (shell.home / "calls").read_text().splitlines()


def expected_calls(request: Request) -> list[str]:
    return [f"{DIGEST[b.cell][0]} {b.batch}" for b in order(request)]


def until(happened: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


def stuck(shell: Board, cell: str) -> None:
    """From now on the cell's runner waits until `go_on`."""
    waiting = '[ -e "$HOME/go-on" ] || { touch "$HOME/stuck"; exec sleep 300; }'
    bundle(shell.home, cell, waiting)


def waits(shell: Board, cell: str) -> None:
    """From now on the cell's runner waits until `go_on`, and then does its work."""
    bundle(shell.home, cell, 'while [ ! -e "$HOME/go-on" ]; do sleep 0.1; done')


def go_on(shell: Board) -> None:
    (shell.home / "go-on").touch()


def agent(shell: Board) -> int:
    """Process id of the holder of the lease."""
    leases = sorted((shell.run_folder / "leases").iterdir(), key=lambda p: int(p.name))
    return int(str(leases[-1].readlink()).split(".")[0])


def runner(shell: Board) -> int:
    return int((shell.run_folder / "runner").read_text().split(".")[0])


def gone(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    until(lambda: gone(pid), f"the end of {pid}")
