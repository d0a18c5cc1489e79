"""What executes the cases: QEMU's user mode, one processor and one userland at a time."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from buildmatrix.baseline import kinds
from buildmatrix.isa.features import features_of
from tests.proof import outcome, userlands
from tests.proof.case import AARCH64, ARM
from tests.proof.outcome import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.baseline import Baseline
    from tests.proof.userlands import Userland

# QEMU's processor, the Raspberry Pi whose processor it is or is most like, and in which words of
# /proc/cpuinfo QEMU's differs (read there under each of them, QEMU 10.0.13). QEMU's Cortex-A53 and
# A72 have the crypto extension, a Raspberry Pi's have not. In `max` is everything QEMU knows.
CRYPTO = "aes pmull sha1 sha2"
MAX32 = (
    "fphp asimdhp asimddp asimdfhm bf16 i8mm aes pmull sha1 sha2 crc32 sb ssbs asimdrdm jscvt fcma"
    " armv8 idiva idivt vfpv4 fp16conv"
)
MAX64 = (
    "fp asimd aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop"
    " sha3 sm3 sm4 asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm sb paca pacg dcpodp sve2"
    " sveaes svepmull svebitperm svesha3 svesm4 flagm2 frint svei8mm svef32mm svef64mm svebf16 i8mm"
    " bf16 rng bti mte mte3 sme mops hbc lor wfxt"
)
PROCESSORS = {
    ARM: (
        ("cortex-a9", "", "fp16conv"),
        ("cortex-a7", "pi2-32", ""),
        ("cortex-a15", "pi2-32", ""),
        ("max", "pi3-32", MAX32),
    ),
    AARCH64: (
        ("cortex-a53", "pi3-64", CRYPTO),
        ("cortex-a72", "pi4-64", CRYPTO),
        ("cortex-a76", "pi5-64", ""),
        ("max", "pi5-64", MAX64),
    ),
}
NEON_ONLY = "neon"  # the -mfpu of a Cortex-A9, which no Raspberry Pi has
TIMEOUT = 120  # seconds, on a busy machine


@dataclass(frozen=True, slots=True)
class Board:
    """A processor under a userland, and the baseline that the audit is asked about for it."""

    userland: Userland
    cpu: str
    baseline: Baseline

    @property
    def name(self) -> str:
        return f"{self.cpu} {self.userland.suite}"

    def run(self, case: str, program: str, *, everywhere: bool = False) -> Outcome:
        """Start the placed tree's program; when it starts, once more with all symbols bound, and
        where it is to start `everywhere` from its own folder as well as from the root's."""
        outcome = self._run(case, program, {})
        if outcome.started:
            outcome = self._run(case, program, {"LD_BIND_NOW": "1"})
        if outcome.started and everywhere:
            outcome = self._run(case, program, {}, f"/proof/{case}")
        return outcome

    def _run(self, case: str, program: str, more: dict[str, str], folder: str = "/") -> Outcome:
        argv = ["/qemu", "-cpu", self.cpu, f"/proof/{case}/{program}"]

        def enter() -> None:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.nice(5)
            os.chroot(self.userland.root)
            os.chdir(folder)

        try:
            done = subprocess.run(
                argv,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **more},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=TIMEOUT,
                check=False,
                preexec_fn=enter,
            )
        except subprocess.TimeoutExpired:
            return Outcome(outcome.Kind.OTHER, f"does not end in {TIMEOUT} s")
        return outcome.read(done.returncode, done.stdout)


def boards(lands: list[Userland]) -> list[Board]:
    """Every processor under every userland."""
    return [
        Board(land, cpu, baseline_of(land, kind, cpu, extra))
        for land in lands
        for cpu, kind, extra in PROCESSORS[land.machine]
    ]


def baseline_of(land: Userland, kind: str, cpu: str, extra: str) -> Baseline:
    """The baseline of a board kind with that userland, its features as QEMU has them."""
    known = kinds.kind(f"{kind or 'pi2-32'}@{land.suite}", "")
    target = known.target
    if not kind:  # a Cortex-A9
        target = replace(target, fpu=NEON_ONLY, cpu_features=None)
    features = frozenset(features_of(target)) | {*extra.split()}
    return replace(
        known,
        name=f"{cpu}@{land.suite}",
        target=replace(target, cpu_features=tuple(sorted(features))),
        features=features,
        page_size=4096,  # QEMU's user mode has the host's
    )


def install(land: Userland, qemu: Path) -> None:
    """Put a static QEMU for the userland's machine into it, as /qemu."""
    target = land.root / "qemu"
    if not target.exists():
        shutil.copy(qemu, target)


def qemu_of_debian(cache: Path, machine: str) -> Path:
    """QEMU 10 of Debian 13, whose programs are static, whatever the machine itself has."""
    root = cache / "qemu"
    name = {ARM: "qemu-arm", AARCH64: "qemu-aarch64"}[machine]
    if not (root / "ready").exists():
        root.mkdir(exist_ok=True)
        archive = userlands.Archive("trixie", "amd64", cache / "apt-trixie-amd64")
        userlands.extract(archive.fetch(("qemu-user",))[0], root)
        for path in (root / "usr/bin").iterdir():
            if path.name not in ("qemu-arm", "qemu-aarch64"):
                path.unlink()  # half a gigabyte of other machines
        (root / "ready").touch()
    return root / "usr/bin" / name
