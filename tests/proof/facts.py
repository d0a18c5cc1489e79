"""scripts/audit-proof facts: the audit's facts against readelf and objdump, on others' libraries.

    audit-proof facts [--cache DIR] [--out FILE]

Exit code 0 when every fact of every library is equal, 1 when one is not.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix import elf
from buildmatrix.nouns import version_tuple
from tests.proof.userlands import Archive, extract

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from buildmatrix.nouns import ElfFacts

# From Debian 12, armhf and arm64 each; the versions are in the document.
PACKAGES = (
    *("zlib1g", "libpng16-16", "libopus0", "libgmp10", "libfftw3-single3", "libsqlite3-0"),
    *("libblas3", "liblapack3", "libjpeg62-turbo", "libx264-164", "libtheora0", "libspeex1"),
    *("libblis4-pthread", "libsoxr0", "libpixman-1-0", "libwebp7"),
)
ARCHITECTURES = ("armhf", "arm64")
# From PyPI: requirement and pip's names of the platforms.
WHEELS = (
    ("numpy==2.4.6", "manylinux_2_27_aarch64"),
    ("onnxruntime==1.21.0", "manylinux_2_27_aarch64"),
    ("pillow==11.3.0", "manylinux2014_aarch64"),
    ("tflite-runtime==2.14.0", "manylinux_2_34_armv7l"),
)
BINUTILS = ("binutils-x86-64-linux-gnu", "binutils-multiarch", "libbinutils", "libsframe3")
QUAD = {
    "EM_ARM": re.compile(r"\tv(?:mul|mla|mls|fma|fms)\.f32\tq\d+"),
    "EM_AARCH64": re.compile(r"\tfm(?:ul|la|ls)\tv\d+\.4s"),
}
ATOMICS = re.compile(
    r"\t(?:casp?|swp|(?:ld|st)(?:add|clr|eor|set|smax|smin|umax|umin))a?l?[bh]?\t(?!.*\.)"
)
DOTS = re.compile(r"\t[su]dot\tv")


@dataclass(frozen=True, slots=True)
class Binutils:
    """readelf and objdump of Debian's newest suite, unpacked into a folder, and its C library."""

    root: Path

    def run(self, tool: str, *words: str) -> str:
        argv = [f"{self.root}/usr/bin/x86_64-linux-gnu-{tool}", *words]
        libraries = f"{self.root}/usr/lib/x86_64-linux-gnu"
        loader = f"{libraries}/ld-linux-x86-64.so.2"
        done = subprocess.run(
            [loader, "--library-path", libraries, *argv],
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
        )
        return done.stdout


def binutils(cache: Path) -> Binutils:
    root = cache / "binutils"
    if not (root / "ready").exists():
        (root / "usr/lib").mkdir(parents=True, exist_ok=True)
        archive = Archive("sid", "amd64", cache / "apt-sid-amd64")
        packages = (*BINUTILS, "libc6", "zlib1g", "libzstd1", "libjansson4", "libstdc++6")
        for package in archive.fetch((*packages, "libgcc-s1")):
            extract(package, root)
        (root / "ready").touch()
    return Binutils(root)


def libraries(cache: Path) -> Iterator[tuple[str, Path]]:
    """Each library with the package that it is of."""
    for architecture in ARCHITECTURES:
        archive = Archive("bookworm", architecture, cache / f"apt-bookworm-{architecture}")
        for package in archive.fetch(PACKAGES):
            folder = cache / "real" / package.stem
            if not folder.exists():
                (folder / "usr/lib").mkdir(parents=True)
                extract(package, folder)
            yield from _elf_files(package.stem.replace("%3a", ":"), folder)
    for requirement, platform in WHEELS:
        yield from _elf_files(f"{requirement} {platform}", wheel(cache, requirement, platform))


def _elf_files(name: str, folder: Path) -> Iterator[tuple[str, Path]]:
    files = sorted(p for p in folder.rglob("*.so*") if p.is_file() and not p.is_symlink())
    for path in [p for p in files if elf.is_elf(p)][:4]:
        yield name, path


def wheel(cache: Path, requirement: str, platform: str) -> Path:
    """The wheel of PyPI that pip chooses for a platform, unpacked into a folder."""
    folder = cache / "real" / f"{requirement}-{platform}"
    if not folder.exists():
        wheels = cache / "wheels"
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels)]
        wanted = ["--only-binary", ":all:", "--python-version", "3.11", "--platform", platform]
        subprocess.run([*pip, *wanted, requirement], check=True)
        stem = requirement.partition("==")[0].replace("-", "_")
        machine = platform.rpartition("_")[2]
        chosen = next(p for p in wheels.glob(f"{stem}-*") if machine in p.name)
        with zipfile.ZipFile(chosen) as archive:
            archive.extractall(folder)
    return folder


def ours(facts: ElfFacts) -> dict[str, object]:
    """The facts that readelf and objdump can say too, in words that both can be brought to."""
    features = {use.feature: use.count for use in facts.features or ()}
    arm = facts.machine == "EM_ARM"
    return {
        "machine": facts.machine,
        "soname": facts.soname,
        "needed": list(facts.needed),
        "rpath": list(facts.rpath),
        "runpath": list(facts.runpath),
        "versions": sorted({v.version for v in facts.linking.versions_needed}),
        "glibc": facts.glibc_max,
        "cpu_arch": facts.cpu_arch,
        "fp_arch": facts.fp_arch,
        "simd": facts.simd,
        "hard float": facts.float_abi == "hard" if arm else None,
        "quad multiplies": facts.neon_instructions,
        "atomics": None if arm else features.get("atomics", 0),
        "dot products": None if arm else features.get("asimddp", 0),
    }


def theirs(tools: Binutils, path: Path, *, code: bool) -> dict[str, object]:
    """The same, read out of what readelf and objdump print."""
    text = tools.run("readelf", "-hdVAW", str(path))
    machine = "EM_AARCH64" if "Machine:                           AArch64" in text else "EM_ARM"
    needs = text.partition("Version needs section")[2]
    lines = re.findall(r"  Name: (\S+)  Flags: (.*?)  Version:", needs)
    numbers = [v.removeprefix("GLIBC_") for v, flags in lines if "WEAK" not in flags and _glibc(v)]
    listing = tools.run("objdump", "-d", "--no-show-raw-insn", str(path)) if code else ""
    arm = machine == "EM_ARM"
    return {
        "machine": machine,
        "soname": "".join(re.findall(r"soname: \[(.*?)\]", text)),
        "needed": re.findall(r"Shared library: \[(.*?)\]", text),
        "rpath": _paths(re.findall(r"Library rpath: \[(.*?)\]", text)),
        "runpath": _paths(re.findall(r"Library runpath: \[(.*?)\]", text)),
        "versions": sorted({v for v, _ in lines}),
        "glibc": max(numbers, key=version_tuple, default=""),
        "cpu_arch": "".join(re.findall(r"Tag_CPU_arch: (\S+)", text)),
        "fp_arch": "".join(re.findall(r"Tag_FP_arch: (.+)", text)),
        "simd": "".join(re.findall(r"Tag_Advanced_SIMD_arch: (.+)", text)),
        "hard float": "Tag_ABI_VFP_args: VFP registers" in text if arm else None,
        "quad multiplies": len(QUAD[machine].findall(listing)) if code else None,
        "atomics": None if arm else len(ATOMICS.findall(listing)),
        "dot products": None if arm else len(DOTS.findall(listing)),
    }


def _glibc(version: str) -> bool:
    return bool(re.fullmatch(r"GLIBC_[\d.]+", version))


def _paths(entries: Sequence[str]) -> list[str]:
    return [part for entry in entries for part in entry.split(":")]


def compare(tools: Binutils, path: Path) -> Mapping[str, tuple[object, object]]:
    """The facts that differ: ours and theirs. objdump takes stripped Thumb for ARM, so code in
    32-bit files is compared only where mapping symbols stand in .symtab."""
    facts = elf.read(path, path.name)
    wide = facts.machine == "EM_AARCH64"
    code = wide or ".symtab" in tools.run("readelf", "-SW", str(path))
    mine, other = ours(facts), theirs(tools, path, code=code)
    if not code:
        mine["quad multiplies"] = None
    return {key: (mine[key], other[key]) for key in mine if mine[key] != other[key]}


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/audit-proof facts")
    home = Path("~/.cache/buildmatrix/proof").expanduser()
    parser.add_argument("--cache", type=Path, default=home)
    parser.add_argument("--out", type=Path, default=Path("docs/audit-facts.md"))
    options = parser.parse_args(words)
    tools = binutils(options.cache)
    version = tools.run("readelf", "--version").splitlines()[0]
    rows, counts = [], Counter[str]()
    for package, path in libraries(options.cache):
        differences = compare(tools, path)
        counts["unequal" if differences else "equal"] += 1
        unequal = "; ".join(f"{k}: {a!r}, binutils: {b!r}" for k, (a, b) in differences.items())
        rows.append(f"| {package} | {path.name} | {unequal or 'equal'} |")
        sys.stderr.write(rows[-1] + "\n")
    head = (
        "# The audit's facts against readelf and objdump\n\n"
        f"Written by `scripts/audit-proof facts`, with {version}: {counts['equal']} libraries"
        f" equal, {counts['unequal']} not. Compared: machine, soname, needed, rpath, runpath,"
        " versions needed, the highest glibc, the build attributes of CPU, FPU and SIMD, the float"
        " ABI, and on 64-bit files (and 32-bit ones with .symtab) the quad-register float"
        " multiplies, atomics and dot products that objdump disassembles.\n\n"
        "| package | library | facts |\n| --- | --- | --- |\n"
    )
    options.out.write_text(head + "\n".join(rows) + "\n")
    return 1 if counts["unequal"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
