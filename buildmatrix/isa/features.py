"""What a processor has, in one vocabulary for instructions, targets and boards.

The words are those of /proc/cpuinfo (Linux, arch/arm64/kernel/cpuinfo.c and arch/arm/kernel/
setup.c). Where it has none there is one of ours: `armv8` (what ARMv8 adds to 32-bit state: vrint,
vmaxnm, vsel, lda, stl), `fp16conv` (vcvtb and vcvtt of half precision), `v6t2`, `v7`, `lor`,
`mops`, `cssc`, `ls64`, `mte`, `lse128`, `rcpc3`, `cpa`, and two that no processor gives a program,
`pmu` and `privileged` (see `system`). The 32-bit `asimdbf16` is `bf16` here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from buildmatrix.nouns import Target

# What each version of the A-profile adds, mandatory parts only. Source: Arm Architecture Reference
# Manual, DDI 0487, chapter A2; GCC's manual, AArch64 options.
ADDED = {
    "8.0": "",
    "8.1": "atomics crc32 asimdrdm lor",
    "8.2": "dcpop",
    "8.3": "lrcpc paca jscvt fcma",
    "8.4": "ilrcpc flagm asimddp",
    "8.5": "flagm2 frint sb ssbs dcpodp",
    "8.6": "bf16 i8mm",
    "8.7": "wfxt",
    "8.8": "mops hbc",
    "8.9": "cssc",
}
NINE = "fphp asimdhp sve sve2"  # on top of 8.5, 9.1 on top of 8.6 and so on

# What follows a `+` in -march and -mcpu.
EXTENSIONS = {
    "crc": "crc32",
    "lse": "atomics",
    "rdma": "asimdrdm",
    "rdm": "asimdrdm",
    "crypto": "aes pmull sha1 sha2",
    "aes": "aes pmull",
    "sha2": "sha1 sha2",
    "sha3": "sha3 sha512",
    "sm4": "sm3 sm4",
    "dotprod": "asimddp",
    "fp16": "fphp asimdhp",
    "fp16fml": "fphp asimdhp asimdfhm",
    "bf16": "bf16",
    "i8mm": "i8mm",
    "rcpc": "lrcpc",
    "rcpc2": "lrcpc ilrcpc",
    "rcpc3": "lrcpc ilrcpc rcpc3",
    "flagm": "flagm",
    "pauth": "paca",
    "memtag": "mte",
    "sb": "sb",
    "ssbs": "ssbs",
    "ls64": "ls64",
    "mops": "mops",
    "cssc": "cssc",
    "sve": "fphp asimdhp sve",
    "sve2": "fphp asimdhp sve sve2",
    "sme": "bf16 sme",
    "fp8": "fpmr f8cvt faminmax lut bf16",
    "fp8fma": "fpmr f8cvt faminmax lut bf16 f8fma",
    "fp8dot4": "fpmr f8cvt faminmax lut bf16 f8fma f8dp4",
    "fp8dot2": "fpmr f8cvt faminmax lut bf16 f8fma f8dp4 f8dp2",
}

# What 32-bit -march and -mfpu give, each with all of those before it.
MARCH32 = (
    ("armv6", ""),
    ("armv6t2", "v6t2"),
    ("armv7", "v7"),
    ("armv7ve", "idiva idivt"),
    ("armv8", "armv8"),
)
FPU = (
    ("vfpv2", ""),
    ("vfpv3-d16", "vfpv3"),
    ("vfpv3", "vfpd32"),
    ("neon", "neon"),
    # Of the cores with VFPv4 the Cortex-A5 alone divides in software, and no Raspberry Pi has it.
    ("neon-vfpv4", "fp16conv vfpv4 idiva idivt"),
    ("neon-fp-armv8", "armv8"),
    ("crypto-neon-fp-armv8", "aes pmull sha1 sha2"),
)

# What 32-bit code may need that is none of the FPU's: its attributes (Tag_FP_arch and
# Tag_Advanced_SIMD_arch) do not speak of it.
INTEGER32 = frozenset(("v6t2", "v7", "idiva", "idivt", "crc32", "sb", "ssbs"))

VERSION = re.compile(r"armv(?P<major>[89])(?:\.(?P<minor>\d))?-a")


def features_of(target: Target) -> frozenset[str]:
    """All that code for `target` may use: of its board where that is named, else of its march."""
    if target.cpu_features is not None:
        return frozenset(target.cpu_features)
    if target.machine == "EM_AARCH64":
        return of_march(target.march)
    return of_march32(target.march, target.fpu)


def of_march(march: str) -> frozenset[str]:
    """The features of AArch64's -march=MARCH: `armv8.2-a+fp16` has atomics, fphp and more."""
    version, *extensions = march.split("+")
    parts = VERSION.fullmatch(version)
    words = ""
    if parts:
        nine = parts["major"] == "9"
        highest = int(parts["minor"] or 0) + (5 if nine else 0)
        words = " ".join([*list(ADDED.values())[: highest + 1], NINE if nine else ""])
    return _with(frozenset(words.split()), extensions)


def of_march32(march: str, fpu: str) -> frozenset[str]:
    """The features of 32-bit -march=MARCH -mfpu=FPU."""
    version, *extensions = march.split("+")
    parts = VERSION.fullmatch(version)
    ranks = ("armv8", "armv7ve", "armv7", "armv6t2")
    name = next((r for r in ranks if version.startswith(r)), "armv8" if parts else "armv6")
    words = _up_to(MARCH32, name) | _up_to(FPU, fpu)
    if version.endswith("-m"):  # of ARMv7-M every core divides
        words.add("idivt")
    if parts and int(parts["minor"] or 0) >= 1:
        words |= {"crc32", "asimdrdm"}
    return _with(frozenset(words), extensions)


def _with(features: frozenset[str], extensions: Iterable[str]) -> frozenset[str]:
    for extension in extensions:
        if extension.startswith("no"):
            dropped = extension.removeprefix("no")
            words = EXTENSIONS.get(dropped, "").split()
            features -= {dropped} if dropped in words else set(words)
        else:
            features |= set(EXTENSIONS.get(extension, extension).split())
    return features


def _up_to(ranks: Iterable[tuple[str, str]], name: str) -> set[str]:
    """The words of every rank up to `name`'s; none where the name is no rank."""
    words: set[str] = set()
    for rank, gives in ranks:
        words |= set(gives.split())
        if rank == name:
            return words
    return set()
