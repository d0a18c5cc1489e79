"""scripts/isa-check: the tables of instructions against LLVM's disassembler.

    isa-check [--seed NUMBER] [--each WORDS]

Words at random over every upper halfword, and for every pattern words that it matches and words one
bit beside it. LLVM reads them as of the oldest processor, as of the newest, and as of the oldest
with the one feature that a table names. The two must agree on what the oldest lacks, and on what
gives it. Words that LLVM knows of no processor at all say nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.isa import a32, a64
from tests.proof.disassembly import Disassembler, multiplied

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from buildmatrix.isa.patterns import Pattern, Table

SPREAD = 6  # words for every upper halfword
SHOWN = 40  # mismatches that are printed

# Feature -> LLVM's names for it. What scalable vectors and matrices need of each other is no
# question here: the tables tell them from the rest by four bits.
LLVM64 = {
    **{"atomics": "lse", "lse128": "lse128", "lor": "lor", "asimdrdm": "rdm", "crc32": "crc"},
    **{"aes": "aes", "pmull": "aes", "sha1": "sha2", "sha2": "sha2", "sha512": "sha3"},
    **{"sha3": "sha3", "sm3": "sm4", "sm4": "sm4", "lrcpc": "rcpc", "ilrcpc": "rcpc-immo"},
    **{"rcpc3": "rcpc3", "paca": "pauth", "frint": "fptoint", "jscvt": "jsconv"},
    **{"fcma": "complxnum fullfp16", "flagm": "flagm", "flagm2": "altnzcv", "dcpop": "ccpp"},
    **{"dcpodp": "ccdp", "sb": "sb", "wfxt": "wfxt", "mte": "mte", "mops": "mops mte"},
    **{"hbc": "hbc", "ls64": "ls64", "cssc": "cssc", "asimddp": "dotprod", "i8mm": "i8mm"},
    **{"bf16": "bf16", "asimdfhm": "fp16fml", "asimdhp": "fullfp16", "fphp": "fullfp16"},
    **{"sve": "all", "sve2": "all", "sme": "all", "rng": "rand", "dit": "dit", "ssbs": "ssbs"},
    **{"fpmr": "fpmr", "gcs": "gcs", "faminmax": "faminmax", "f8cvt": "fp8", "cpa": "cpa"},
    **{"f8dp4": "fp8dot4", "f8dp2": "fp8dot2", "f8fma": "fp8fma", "lut": "lut"},
}
LLVM32 = {
    **{"armv8": "v8 fp-armv8", "jscvt": "v8.3a fp-armv8", "bf16": "v8 bf16", "fp16conv": "fp16"},
    **{"fphp": "v8 fullfp16", "asimdhp": "v8 fullfp16", "vfpv4": "vfp4", "asimddp": "v8 dotprod"},
    **{"i8mm": "v8 i8mm", "asimdfhm": "v8 fp16fml", "fcma": "v8.3a fullfp16", "aes": "v8 aes"},
    **{"pmull": "v8 aes", "sha1": "v8 sha2", "sha2": "v8 sha2", "asimdrdm": "v8.1a"},
    **{"sb": "sb", "crc32": "v8 crc", "idiva": "hwdiv-arm", "idivt": "hwdiv"},
}
NEWEST32 = (
    "v8.6a fullfp16 fp16fml bf16 i8mm dotprod aes sha2 crc sb fp-armv8 neon hwdiv hwdiv-arm"
    " trustzone virtualization mp"
)


@dataclass(frozen=True, slots=True)
class InstructionSet:
    """A table, and how LLVM is asked for the oldest and the newest processor of its set."""

    name: str
    table: Table
    triple: str
    oldest: str
    newest: str
    features: Mapping[str, str]
    base: frozenset[str] = frozenset()  # features that the oldest has all the same
    beyond: Mapping[str, str] = field(default_factory=dict)  # first letters -> why no row has them


# What no table names, and why that is right.
LATER = "an extension of 2022 or later, on no board: 128-bit system registers and their like"
KERNEL = "for kernels and hypervisors"
UNPREDICTABLE = "LLVM takes bits that should be 0 or 1 as either"
BEYOND64 = {
    **dict.fromkeys(("mrrs", "msrr", "sysp", "rcw", "tc"), LATER),
    **dict.fromkeys(("retaasppc", "retabsppc", "autiasppc", "autibsppc"), "PAuth_LR, 2023"),
    **dict.fromkeys(("sb", "axflag", "xaflag"), UNPREDICTABLE),
    "dc": "memory tags written back, for kernels",
    "xpaclri": "a hint: nothing happens where it is not known",
}
BEYOND32 = {
    **dict.fromkeys(("hvc", "smc", "setpan", "vmrs", "mrs", "msr", "eret"), KERNEL),
    **dict.fromkeys(("hlt", "dcps"), "for debuggers"),
    "pldw": "a hint: nothing happens where it is not known",
    **dict.fromkeys(("sb", "crc32"), UNPREDICTABLE),
}
SYSTEM_MOVES = ("mrs", "msr")
# Every processor has them, and no program may use them.
KERNELS = frozenset(("privileged", "pmu"))
SETS = (
    InstructionSet("A64", a64.TABLE, "aarch64", "v8a", "all", LLVM64, KERNELS, BEYOND64),
    InstructionSet(
        *("A32", a32.A32, "armv7a", "neon vfp3", NEWEST32, LLVM32),
        *(frozenset(("v6t2", "v7", "neon", "vfpv3")) | KERNELS | {"iwmmxt"}, BEYOND32),
    ),
    InstructionSet(
        *("T32", a32.T32, "thumbv7a", "neon vfp3", NEWEST32, LLVM32),
        *(frozenset(("v6t2", "v7", "neon", "vfpv3")) | KERNELS | {"iwmmxt"}, BEYOND32),
    ),
)
# Reads of identification registers are a feature of no processor: a row of the table that asks.
NO_FEATURE = frozenset(("", "cpuid"))


def words_for(one: InstructionSet, random: np.random.Generator, each: int) -> NDArray[np.uint32]:
    """Words over all of the set, on every pattern and one bit beside each."""
    thumb = one.name == "T32"
    upper = np.repeat(np.arange(0xE800 if thumb else 0, 1 << 16, dtype=np.uint32), SPREAD)
    lower = random.integers(0, 1 << 16, len(upper), dtype=np.uint32)
    parts: list[NDArray[np.uint32]] = [(upper << 16 | lower).astype(np.uint32)]
    for pattern in one.table.patterns:
        words = words_on(one, pattern, random, each)
        bits = [bit for bit in range(32) if pattern.mask >> bit & 1]
        flips = np.array([1 << bits[i % len(bits)] for i in range(each)], np.uint32)
        parts += [words, words ^ flips]
    words = np.concatenate(parts)
    return words[words >= 0xE8000000] if thumb else words


def words_on(
    one: InstructionSet, pattern: Pattern, random: np.random.Generator, each: int
) -> NDArray[np.uint32]:
    free = random.integers(0, 1 << 32, each, dtype=np.uint32)
    words = free & np.uint32(~pattern.mask & 0xFFFFFFFF) | np.uint32(pattern.value)
    if one.name == "A32" and not pattern.mask >> 28:  # always: a condition is none of the pattern's
        words = words & np.uint32(0x0FFFFFFF) | np.uint32(0xE0000000)
    return words


def name_of(text: str) -> str:
    """The instruction's name: operands that a processor does not know are still numbers there, and
    so is a system register, of which no more than that tells whether the processor has it."""
    name = text.partition("\t")[0]
    return text if name in SYSTEM_MOVES else name


def by_register(pattern: Pattern | None, text: str) -> bool:
    """Whether LLVM's word is no judgement: it names registers of the system on any processor, and
    of one that no program may use or that Linux answers for, the processor does not matter."""
    if pattern is None:
        return False
    moves = text.partition("\t")[0].rstrip(":") in (*SYSTEM_MOVES, "smstart", "smstop")
    answered = pattern.feature in (*NO_FEATURE, "sme", "fpmr", "gcs")
    return pattern.feature in KERNELS or (moves and answered)


def reason_of(one: InstructionSet, text: str) -> str:
    """Why no row of the table has this instruction; empty where nothing says so."""
    return next((why for word, why in one.beyond.items() if text.startswith(word)), "")


def mismatches(
    one: InstructionSet, llvm: Disassembler, random: np.random.Generator, each: int
) -> tuple[list[str], str]:
    """What LLVM and the table disagree on, a line each, and a line of counts."""
    words = words_for(one, random, each)
    which = np.full(len(words), -1)
    places, patterns = one.table.match(words)
    which[places] = patterns
    newest = llvm.read(words, one.triple, one.newest)
    oldest = llvm.read(words, one.triple, one.oldest)
    known = [number for number, text in enumerate(newest) if text]
    lines: list[str] = []
    beyond: Counter[str] = Counter()
    groups: dict[str, list[int]] = {}
    rows = one.table.patterns
    pattern_of = {n: rows[which[n]] if which[n] >= 0 else None for n in known}
    for number in (n for n in known if not by_register(pattern_of[n], newest[n])):
        pattern = pattern_of[number]
        feature = pattern.feature if pattern else ""
        word, text = f"{one.name} {words[number]:08x}", newest[number]
        expected = multiplied(text)
        if (pattern.multiplies if pattern else "") != expected and expected is not None:
            lines.append(f"{word} {text}: multiplies {expected or 'nothing'}, not as its row says")
        ours = feature not in NO_FEATURE and feature not in one.base
        theirs = name_of(oldest[number]) != name_of(text)
        if theirs and not ours:
            if reason := reason_of(one, text):
                beyond[reason] += 1
            else:
                lines.append(f"{word} {text}: no row, and the oldest processor has it not")
        elif ours and not theirs:
            lines.append(f"{word} {text}: {feature}, and the oldest processor has it")
        elif ours:
            groups.setdefault(feature, []).append(number)
    for feature, numbers in sorted(groups.items()):
        texts = llvm.read(words[numbers], one.triple, f"{one.oldest} {one.features[feature]}")
        for number, text in zip(numbers, texts, strict=True):
            if name_of(text) == name_of(newest[number]):
                continue
            if reason := reason_of(one, newest[number]):
                beyond[reason] += 1
            else:
                lines.append(f"{one.name} {words[number]:08x} {newest[number]}: not by {feature}")
    lines += idle(one, set(which[known].tolist()))
    explained = "".join(f"\n     {count:6} {why}" for why, count in sorted(beyond.items()))
    counts = f"{len(words)} words, {len(known)} that LLVM knows, {len(one.table.patterns)} rows"
    return lines, f"{one.name}: {counts}, {len(lines)} mismatches{explained}"


def idle(one: InstructionSet, met: set[int]) -> list[str]:
    """Rows that stand behind a wider one, or for nothing."""
    return [
        f"{one.name} {pattern.name} ({pattern.feature}): LLVM knows no word of this row"
        for index, pattern in enumerate(one.table.patterns)
        if index not in met and (pattern.feature or pattern.multiplies)
        if pattern.feature != "iwmmxt"  # which LLVM never learnt
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/isa-check")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=60, help="words on every row")
    chosen = parser.parse_args()
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        llvm = Disassembler(Path(folder))
        sys.stdout.write(f"{llvm.version}, seed {chosen.seed}\n")
        for one in SETS:
            random = np.random.default_rng(chosen.seed)
            more, counts = mismatches(one, llvm, random, chosen.each)
            sys.stdout.write(f"{counts}\n")
            lines += more
    sys.stdout.writelines(f"{line}\n" for line in lines[:SHOWN])
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
