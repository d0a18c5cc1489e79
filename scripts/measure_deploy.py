"""A deploy over a slow link, against rsync and scp: bytes and seconds, in one run.

    scripts/measure-deploy [--only GLOB] [--rounds N] [--link 20mbit/20ms] [--last-built] [--here]

Every built variant of matrix.yaml that fits goes to a virtual Pi 3, one after the other, then the
last one again: with buildmatrix (log in, question, gate, push), with `rsync -az`, with that and
`--fsync`, which writes through to the disk as a deploy does, with `scp -Cr`.
Each time through a relay of its own, which has the link's rate and round trip and counts the bytes
of both directions, logging in included. The ways take turns, and the quickest of all rounds
counts: what else the machine does can only add.

For the board, Debian's armhf rsync is unpacked into the home folder, for this comparison alone.
With --here the far end is an sshd of this machine instead, in a scratch folder: the link is the
same, but unpacking and hashing cost what they cost on this processor.

Exit 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buildmatrix.protocols import CommandResult

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from buildmatrix import deploy, device, ssh, virtual  # noqa: E402
from buildmatrix.boards import greeting  # noqa: E402
from buildmatrix.errors import BuildmatrixError, InputError  # noqa: E402
from buildmatrix.nouns import BoardAddress, Bundle  # noqa: E402
from buildmatrix.pipeline import project  # noqa: E402
from buildmatrix.pipeline.stored import shippable, stored  # noqa: E402
from buildmatrix.pipeline.workshop import Workshop  # noqa: E402
from buildmatrix.upstreams import debian_mirror, python_index  # noqa: E402
from buildmatrix.virtual import apt, host  # noqa: E402
from buildmatrix.virtual import link as links  # noqa: E402
from tests.fakes import RecordingReporter  # noqa: E402
from tests.linkshaper import Link  # noqa: E402
from tests.sshd import PRIVILEGE_SEPARATION, Servers  # noqa: E402

STATE = Path(os.environ.get("BUILDMATRIX_STATE", ROOT / ".buildmatrix")).resolve()
# The board's image is kept there.
BOARDS = Path(os.environ.get("BUILDMATRIX_TEST_STATE", STATE)).resolve()
BOARD = f"measure-{os.getpid()}"
# rsync and what it needs (its Depends in bookworm) besides libc; with them it chooses zstd.
FOREIGN = (
    "rsync",
    "libacl1",
    "liblz4-1",
    "libpopt0",
    "libssl3",
    "libxxhash0",
    "libzstd1",
    "zlib1g",
)
SHARE = 0.15  # of the first variant's bytes, at most, for each further one
# A deploy has ended when its content is on the disk: rsync's has with --fsync (3.2.4 and later).
WAYS = ("buildmatrix", "rsync -az", "rsync -az --fsync", "scp -Cr")
# user, nice, system, irq and softirq of all processors, in hundredths of a second: proc_stat(5)
BUSY = "read -r _ a b c d e f g h < /proc/stat; echo $((a + b + c + f + g))"
NOTHING = 3_000  # bytes, at most, when nothing changed, beside those of logging in

Put = Callable[[Bundle, Path, BoardAddress], int]  # what goes there, its folder, where; calls made


@dataclass(frozen=True, slots=True)
class Step:
    """One variant put on the board."""

    seconds: float
    bytes: int
    calls: int  # on the connection; 0 where nobody counted
    there: float  # CPU seconds of the board; 0 where it is this machine
    here: float  # and of this process with what it starts


def main() -> int:
    asked = argparse.ArgumentParser()
    asked.add_argument("--only", action="append", help="glob on cell ids; repeatable")
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--link", default="20mbit/20ms", help="rate each way, round trip")
    asked.add_argument(
        "--last-built", action="store_true", help="variants whose recipe changed since, as well"
    )
    asked.add_argument("--here", action="store_true", help="an sshd of this machine as the board")
    options = asked.parse_args()
    shop = Workshop(
        project=project.load(ROOT / "matrix.yaml", only=tuple(options.only or ())),
        state=STATE,
        reporter=RecordingReporter(),
        mirror=debian_mirror,
        index=python_index,
        archives=None,
        jobs=1,
    )
    shape = links.parse(options.link)
    assert shape is not None, "a link must be slow to be measured"
    built = last_built(shop) if options.last_built else built_now(shop)
    with (
        tempfile.TemporaryDirectory() as scratch,
        sshd_here(Path(scratch)) if options.here else board() as far,
    ):
        target = far.target
        bundles = built if options.here else fitting(shop, target, built)
        comparable(shop, bundles)
        login = log_in(target)
        folders = [checked_out(shop, bundle, Path(scratch)) for bundle in bundles]
        if not options.here:
            put_rsync_on(target, Path(scratch))
        steps: dict[str, list[list[Step]]] = {name: [] for name in WAYS}
        for turn in range(options.rounds):
            ways: tuple[Put, ...] = (ours(shop), far.rsync, far.rsync_to_disk, far.scp)
            for name, put in zip(WAYS, ways, strict=True):
                sys.stderr.write(f"round {turn + 1} of {options.rounds}: {name}\n")
                say(target, "cd && rm -rf .buildmatrix there && mkdir there && sync")
                steps[name].append([])
                for bundle, folder in [
                    *zip(bundles, folders, strict=True),
                    (bundles[-1], folders[-1]),
                ]:
                    with slow(target, shape) as link, cpu_of(target, far) as used:
                        began = time.monotonic()
                        calls = put(bundle, folder, replace(target, port=link.port))
                        seconds = time.monotonic() - began
                    steps[name][-1].append(Step(seconds, link.up + link.down, calls, *used))
                    sys.stderr.write(f"  {bundle.cell}: {steps[name][-1][-1]}\n")
    best = {name: quickest(rounds) for name, rounds in steps.items()}
    load, kind = os.getloadavg()[0], "sshd" if options.here else "virtual Pi 3"
    sys.stdout.write(
        f"link {options.link}, best of {options.rounds} rounds, {kind} on {os.cpu_count()} "
        f"{platform.machine()} cores with load {load:.1f}\n"
    )
    show([*(f"{b.cell} ({b.size / 1e6:.1f} MB)" for b in bundles), "nothing changed"], best)
    return judge(best, stacks_of(shop, bundles), login)


@contextmanager
def cpu_of(target: BoardAddress, far: Far) -> Iterator[list[float]]:
    """Filled with the CPU seconds that passed on the board and here, over a connection beside."""
    used: list[float] = []
    with ssh.connect(target, timeout=30, known_hosts=None) as beside:

        def now() -> tuple[float, float]:
            ticks = beside.run(BUSY, timeout=60).stdout if far.emulated else b"0"
            return int(ticks) / 100, sum(os.times()[:4])

        before = now()
        yield used
        used += [after - begun for begun, after in zip(before, now(), strict=True)]


def slow(target: BoardAddress, shape: links.Link) -> Link:
    return Link(target.port, mbit=shape.rate * 8e-6, round_trip_ms=shape.round_trip * 1e3)


def built_now(shop: Workshop) -> tuple[Bundle, ...]:
    """The bundles that a deploy would take."""
    return tuple(one.bundle for one in shippable(stored(shop).values()) if one.bundle)


def last_built(shop: Workshop) -> tuple[Bundle, ...]:
    """The newest bundle of each cell, whatever changed in its recipe since."""
    found = []
    for cell in shop.project.cells:
        entry = shop.store.latest(f"bundle:{cell.id}")
        manifest = (
            next((f for f in entry.files if f.path == "manifest.json"), None) if entry else None
        )
        if entry and manifest:
            found.append(Bundle(cell.id, manifest.sha256, entry.files))
    return tuple(found)


def fitting(shop: Workshop, target: BoardAddress, bundles: Sequence[Bundle]) -> tuple[Bundle, ...]:
    """Those that the gate lets through."""
    with ssh.connect(target, timeout=30, known_hosts=None) as connection:
        about = device.probe(connection, "pi3")
    cells = {cell.id: cell for cell in shop.project.cells}
    targets = {b.cell: shop.project.toolchains[cells[b.cell].toolchain].target for b in bundles}
    return tuple(
        b
        for b in bundles
        if all(f.severity != "error" for f in device.unfit(about, targets[b.cell], needs_kib=0))
    )


def stacks_of(shop: Workshop, bundles: Sequence[Bundle]) -> list[str]:
    return [next(c.stack for c in shop.project.cells if c.id == b.cell) for b in bundles]


def comparable(shop: Workshop, bundles: Sequence[Bundle]) -> None:
    stacks = stacks_of(shop, bundles)
    if len(stacks) == len({*stacks}):
        raise InputError("no two variants of one stack are built", hint="scripts/demo builds three")


def ours(shop: Workshop) -> Put:
    """As `inv deploy` does, once it knows the bundles: one connection, and the question first.

    For one round: the board is one that it never met before.
    """
    met: list[BoardAddress] = []

    def put(bundle: Bundle, _folder: Path, target: BoardAddress) -> int:
        with ssh.connect(target, timeout=30, known_hosts=None) as connection:
            counting = Counting(connection)
            answer = greeting.question(counting, bare=not met)
            met.append(target)
            device.parse("pi3", answer.decode(errors="replace"))
            deploy.push(
                counting,
                [bundle],
                shop.store,
                reporter=RecordingReporter(),
                subject="pi3",
                known=deploy.read_listing(answer),
            )
        return counting.calls

    return put


class Counting:
    """A Connection that counts its calls."""

    def __init__(self, inner: ssh.SshConnection) -> None:
        self.inner, self.calls = inner, 0

    @property
    def packed(self) -> int | None:
        return self.inner.packed

    def run(self, script: str, **settings: object) -> CommandResult:
        self.calls += 1
        return self.inner.run(script, **settings)  # type: ignore[arg-type]

    def close(self) -> None:
        self.inner.close()


@dataclass(frozen=True, slots=True)
class Far:
    """The other end, and how the others' programs reach it."""

    target: BoardAddress
    folder: str  # where theirs goes
    rsync_path: str
    emulated: bool = True

    def rsync(self, _bundle: Bundle, folder: Path, target: BoardAddress, *more: str) -> int:
        remote = shlex.join(["ssh", *options_of(target)])
        words = ["-az", *more, "-e", remote, f"--rsync-path={self.rsync_path}"]
        shell(["rsync", *words, str(folder), self.place(target)])
        return 0

    def rsync_to_disk(self, bundle: Bundle, folder: Path, target: BoardAddress) -> int:
        return self.rsync(bundle, folder, target, "--fsync")

    def scp(self, _bundle: Bundle, folder: Path, target: BoardAddress) -> int:
        shell(["scp", "-Crq", *scp_options(target), str(folder), self.place(target)])
        return 0

    def place(self, target: BoardAddress) -> str:
        return f"{target.user}@{target.host}:{self.folder}"


def scp_options(target: BoardAddress) -> list[str]:
    return ["-P" if word == "-p" else word for word in options_of(target)]


def options_of(target: BoardAddress) -> list[str]:
    """Of OpenSSH, without the user's own; the host key is known by the name of the board's port."""
    known = Path(target.identity_file).with_name("known_hosts")
    settings = {
        "BatchMode": "yes",
        "UserKnownHostsFile": str(known),
        "IdentitiesOnly": "yes",
        "HostKeyAlias": known.read_text().split()[0],
    }
    words = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    return ["-F", "none", *words, "-i", target.identity_file, "-p", str(target.port)]


@contextmanager
def board() -> Iterator[Far]:
    try:
        target = virtual.up(
            BOARDS, name=BOARD, kind="pi3", mirror=debian_mirror(), reporter=RecordingReporter()
        )
        yield Far(target, "there/", "LD_LIBRARY_PATH=rsync rsync/rsync")
    finally:
        virtual.down(BOARDS, name=BOARD)


@contextmanager
def sshd_here(scratch: Path) -> Iterator[Far]:
    """An sshd of ours on the loopback, whose HOME is a folder of ours."""
    home = scratch / "home"
    home.mkdir()
    PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
    servers = Servers(scratch)
    server = servers.start(f"SetEnv HOME={home}", "Subsystem sftp internal-sftp")
    (scratch / "known_hosts").write_text(server.known)
    try:
        yield Far(server.target(servers.identity), f"{home}/there/", "rsync", emulated=False)
    finally:
        servers.stop(server)


def put_rsync_on(target: BoardAddress, scratch: Path) -> None:
    debs, root, out = scratch / "debs", scratch / "root", scratch / "rsync"
    out.mkdir()
    apt.Apt(scratch / "apt", mirror=debian_mirror(), architecture="armhf").alone(FOREIGN, debs)
    for deb in debs.glob("*.deb"):
        host.run(["dpkg-deb", "-x", str(deb), str(root)])
    for file in [
        root / "usr/bin/rsync",
        *root.glob("usr/lib/*/lib*.so.*"),
        *root.glob("lib/*/lib*.so.*"),
    ]:
        shutil.copy(file, out)
    shell(
        [
            "scp",
            "-rq",
            *["-P" if w == "-p" else w for w in options_of(target)],
            str(out),
            f"{target.user}@{target.host}:",
        ]
    )


def checked_out(shop: Workshop, bundle: Bundle, scratch: Path) -> Path:
    folder = scratch / bundle.cell
    for record in bundle.files:
        path = folder / record.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if record.link:
            path.symlink_to(record.link)
        else:
            with shop.store.open(record.sha256) as content:
                path.write_bytes(content.read())
            path.chmod(0o755 if record.executable else 0o644)
    return folder


def say(target: BoardAddress, script: str) -> None:
    with ssh.connect(target, timeout=30, known_hosts=None) as connection:
        result = connection.run(script, timeout=120)
    assert result.status == 0, result.stderr


def shell(argv: Sequence[str]) -> None:
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def quickest(rounds: Sequence[Sequence[Step]]) -> list[Step]:
    return [min(steps, key=lambda step: step.seconds) for steps in zip(*rounds, strict=True)]


def show(labels: Sequence[str], best: Mapping[str, Sequence[Step]]) -> None:
    wide = max(map(len, labels)) + 2
    sys.stdout.write(f"{'':{wide}}" + "".join(f"{name:>22}" for name in best) + "\n")
    for row, label in enumerate(labels):
        cells = (f"{s[row].bytes / 1e6:13.3f} MB{s[row].seconds:5.1f} s" for s in best.values())
        sys.stdout.write(f"{label:{wide}}" + "".join(cells) + "\n")
        cpu = (f"{f'{s[row].there:.1f} + {s[row].here:.1f} s':>22}" for s in best.values())
        sys.stdout.write(f"{'  of CPU, there and here':{wide}}" + "".join(cpu) + "\n")


def log_in(target: BoardAddress) -> int:
    """Bytes of a connection on which nothing is asked."""
    with Link(target.port) as link:
        ssh.connect(replace(target, port=link.port), timeout=30, known_hosts=None).close()
    return link.up + link.down


def judge(best: Mapping[str, Sequence[Step]], stacks: Sequence[str], login: int) -> int:
    """Variants of one stack share its libraries and the model."""
    *steps, again = best["buildmatrix"]
    first = [
        (f"first variant: {ratio:.2f} of {name}'s time (at most 1)", ratio <= 1)
        for name in WAYS[1:3]
        for ratio in [steps[0].seconds / best[name][0].seconds]
    ]
    firsts: dict[str, int] = {}
    shares = [0.0]
    for stack, step in zip(stacks, steps, strict=True):
        if stack in firsts:
            shares.append(step.bytes / firsts[stack])
        firsts.setdefault(stack, step.bytes)
    share = max(shares)
    targets = (
        *first,
        (
            f"further variants of a stack: {share:.1%} of its first one's bytes "
            f"(at most {SHARE:.0%})",
            share <= SHARE,
        ),
        (
            f"nothing changed: {again.bytes - login} bytes (at most {NOTHING}), "
            f"and {login} to log in",
            again.bytes - login <= NOTHING,
        ),
        (f"nothing changed: {again.calls} round trip (1)", again.calls == 1),
    )
    for text, met in targets:
        sys.stdout.write(f"{'met   ' if met else 'MISSED'}  {text}\n")
    return 0 if all(met for _, met in targets) else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the board goes, as after Ctrl-C
    try:
        sys.exit(main())
    except BuildmatrixError as error:
        sys.exit(f"measure-deploy: {error}")
