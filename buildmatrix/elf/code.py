"""What the instructions of a file need of the processor, and whether a run comes to them.

The attributes can lie in both directions: FFmpeg's assembler suppresses the SIMD tag, lld keeps the
attributes of its first object only, a library built with -mfpu=neon carries the tag without one
NEON kernel, and AArch64 has no such attributes at all. So the code itself is read (`hits`), and
followed from where a run begins (`reach`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf.addresses import distinct
from buildmatrix.elf.asking import asks_cpu
from buildmatrix.elf.compiled import compiled
from buildmatrix.elf.constants import ENOUGH, constants
from buildmatrix.elf.hits import features, multiplies, places, read_code
from buildmatrix.elf.outlined import guarded
from buildmatrix.elf.reach import Walk
from buildmatrix.elf.roots import discovered, is_program
from buildmatrix.elf.rows import are_functions
from buildmatrix.elf.unreached import unreached
from buildmatrix.isa.a64 import ASKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from buildmatrix.elf.hits import Code
    from buildmatrix.elf.memory import Memory
    from buildmatrix.elf.tables import Image
    from buildmatrix.elf.units import Units
    from buildmatrix.nouns import FeatureUse, Multiplies

OUTLINED = "atomics"
COMMON = frozenset(("neon", "vfpv3", "v6t2", "v7"))
SELDOM = frozenset(  # in 32-bit code, and half of all encodings that data can hit
    ("fphp", "asimdhp", "asimdfhm", "asimdrdm", "asimddp", "bf16", "i8mm", "fcma", "jscvt", "sb")
)


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """The fields of ElfFacts that the code itself tells."""

    neon_instructions: int | None = 0
    multiplies: Multiplies | None = None
    features: tuple[FeatureUse, ...] | None = None
    asks_cpu: bool = False


def code_facts(image: Image, memory: Memory | None, units: Units | None) -> CodeFacts:
    """What the code of one file says; unknown where nothing tells code from data. `memory` is None
    for a file whose code is not read, `units` are those of its debug information.

    Raises Damaged where sections overlap.
    """
    if memory is None:
        # Big-endian ARM code is there and not read; of another machine nothing is asked.
        return CodeFacts(neon_instructions=0 if image.little_endian else None)
    if image.segments and not image.sections:
        return CodeFacts(neon_instructions=None)  # nothing tells where its code begins
    code = read_code(memory.program, _pointers(memory))
    if not code.known:
        return CodeFacts(neon_instructions=None)
    counts, uses = multiplies(code), features(memory.program, code)
    if not image.segments:
        return CodeFacts(counts.float32, counts, uses)
    asks = any(use.feature == ASKS.feature for use in uses) or asks_cpu(memory)
    if not uses:
        return CodeFacts(counts.float32, counts, uses, asks)
    uses = _followed(memory, code, uses, units, asks=asks)
    sure = tuple(use for use in uses if code.mapped or not memory.arm or _is_sure(use, code.size))
    return CodeFacts(counts.float32, counts, sure, asks)


def _followed(
    memory: Memory, code: Code, uses: tuple[FeatureUse, ...], units: Units | None, *, asks: bool
) -> tuple[FeatureUse, ...]:
    """The uses of a linked file with who comes to them; without those that are data."""
    hits = places(code)
    if not memory.arm and not code.mapped:
        tables = constants(memory, hits)
        uses = tuple(use for use in uses if use.feature not in tables)
        hits = {feature: found for feature, found in hits.items() if feature not in tables}
    if not memory.arm and OUTLINED in hits:
        asked = guarded(memory, hits[OUTLINED].tolist())
        uses = tuple(replace(u, guarded=asked) if u.feature == OUTLINED else u for u in uses)
    strict = asks or (memory.arm and not code.mapped)
    walk = Walk(memory, hits, strict=strict)
    ways = walk.paths()
    if asks:
        return tuple(replace(use, path=ways.get(use.feature, ())) for use in uses)
    # Who needs the common ones declares so in attributes, and every export would be followed.
    rare = {feature: found for feature, found in hits.items() if feature not in COMMON}
    strictly = walk if strict or not rare else Walk(memory, hits, strict=True)
    offered = strictly.exports(rare) if rare else {}
    as_a_whole = compiled(memory, rare, units) if units is not None and rare else {}
    rest = {f: found for f, found in rare.items() if not ways.get(f) and not offered.get(f)}
    unneeded = unreached(memory, rest)
    return tuple(
        replace(
            use,
            path=ways.get(use.feature, ()),
            exports=offered.get(use.feature, ()),
            compiled=as_a_whole.get(use.feature),
            unreached=use.feature in unneeded,
        )
        for use in uses
    )


def _is_sure(use: FeatureUse, size: int) -> bool:
    """Whether so few instructions of a stripped 32-bit file are no data that looks like them.

    Seen in Debian 13's armhf packages: one in 60 KB reads as ARMv8, one in 6 KB as any of SELDOM.
    """
    if use.path or use.exports or use.feature in COMMON:
        return True
    return use.count > size >> (12 if use.feature in SELDOM else 15)


def _pointers(memory: Memory) -> NDArray[np.int64]:
    """Addresses of code, for a 32-bit file without symbols that tell ARM from Thumb.

    The entry of a library with functions is none: GNU ld has the start of .text there, without
    Thumb's low bit.
    """
    entry = np.array([memory.image.entry], np.int64)
    if not memory.arm or not memory.image.segments:
        return entry
    functions = sum(
        int((are_functions(table.rows) & (table.rows["section"] > 0)).sum())
        for table in memory.program.symbols
    )
    first = entry if is_program(memory.image) or not functions else entry[:0]
    if functions > ENOUGH:
        return first
    return distinct(np.concatenate([first, discovered(memory)]))
