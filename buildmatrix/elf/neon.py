"""Quad-register float multiplies, counted in the code itself.

The attributes can lie in both directions: FFmpeg's assembler suppresses the SIMD tag, and a
library built with -mfpu=neon carries it without one NEON kernel.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import capstone
from elftools.elf.sections import SymbolTableSection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from elftools.elf.elffile import ELFFile

EXECINSTR = 0x4  # SHF_EXECINSTR


@dataclass(frozen=True, slots=True)
class _Reading:
    """How to find quad-register float multiplies in code of one instruction set."""

    candidates: Callable[[bytes], Iterator[bytes]]  # a cheap mask; capstone has the last word
    architecture: int
    mode: int
    mnemonics: frozenset[str]
    quad: re.Pattern[str]  # in the operands
    separator: bytes = b""  # keeps a candidate that is none from swallowing the next one


def neon_instructions(elf: ELFFile) -> int:
    """Number of vmul/vmla/vmls/vfma/vfms.f32 on q registers; on AArch64 fmul/fmla/fmls on .4s.

    Which bytes are ARM, Thumb or data is told by the mapping symbols ($a, $t, $d) of .symtab.
    Without them the low bit of each function symbol tells, up to the next function; then a hidden
    kernel of the other instruction set is missed, and a literal may rarely count as code.
    """
    machine = elf["e_machine"] if elf.little_endian else ""
    if machine not in DEFAULT_SET:
        return 0
    marks = _code_marks(elf)
    words: dict[str, list[bytes]] = defaultdict(list)
    for index, section in enumerate(elf.iter_sections()):
        if section["sh_type"] == "SHT_PROGBITS" and section["sh_flags"] & EXECINSTR:
            for mode, piece in _pieces(section, marks.get(index, []), DEFAULT_SET[machine]):
                words[mode].extend(READINGS[mode].candidates(piece))
    return sum(_count(READINGS[mode], found) for mode, found in words.items())


def _code_marks(elf: ELFFile) -> Mapping[int, list[tuple[int, str]]]:
    """Section index -> (address, instruction set) in order; mapping symbols before functions."""
    mapping: dict[int, list[tuple[int, str]]] = defaultdict(list)
    functions: dict[int, list[tuple[int, str]]] = defaultdict(list)
    arm = elf["e_machine"] == "EM_ARM"
    for table in elf.iter_sections():
        for symbol in table.iter_symbols() if isinstance(table, SymbolTableSection) else ():
            index, address = symbol["st_shndx"], symbol["st_value"]
            if not isinstance(index, int):
                continue  # undefined, absolute, common
            if symbol.name[:2] in MAPPING_SYMBOLS and symbol.name[2:3] in ("", "."):
                mapping[index].append((address, MAPPING_SYMBOLS[symbol.name[:2]]))
            elif symbol["st_info"]["type"] == "STT_FUNC" and arm:
                functions[index].append((address & ~1, "T32" if address & 1 else "A32"))
    return {index: sorted(marks) for index, marks in (functions | mapping).items()}


def _pieces(
    section: Any, marks: list[tuple[int, str]], default: str
) -> Iterator[tuple[str, bytes]]:
    """The section's code cut at its marks; what stands before the first one is like it."""
    code, base = section.data(), section["sh_addr"]
    inside = [(a - base, mode) for a, mode in marks if 0 <= a - base < len(code)]
    first = inside[0][1] if inside else default
    bounds = [(0, first), *inside, (len(code), first)]
    for (start, mode), (end, _) in pairwise(bounds):
        if mode in READINGS:
            yield mode, code[start:end]


def _words(tops: bytes) -> Callable[[bytes], Iterator[bytes]]:
    """A mask for fixed 32-bit instructions: those whose most significant byte is in `tops`."""
    pattern = re.compile(b"[" + re.escape(tops) + b"]")

    def candidates(code: bytes) -> Iterator[bytes]:
        for match in pattern.finditer(code[3::4]):
            yield code[4 * match.start() : 4 * match.start() + 4]

    return candidates


def _thumb_words(code: bytes) -> Iterator[bytes]:
    """Advanced SIMD instructions in Thumb code: 111x1111 in the first halfword's upper byte.

    A halfword from 0xe800 up opens a 32-bit instruction or is the second half of one. The one
    before a run of such halfwords always ends an instruction, so pairs count from the run's start.
    """
    tops = code[1::2]
    for match in re.finditer(b"[\xef\xff]", tops):
        index = run = match.start()
        while run and tops[run - 1] >= 0xE8:
            run -= 1
        if (index - run) % 2 == 0:
            yield code[2 * index : 2 * index + 4]


def _count(reading: _Reading, words: Iterable[bytes]) -> int:
    engine = capstone.Cs(reading.architecture, reading.mode)
    engine.skipdata = True
    decoded = engine.disasm_lite(reading.separator.join(words), 0)
    return sum(m in reading.mnemonics and bool(reading.quad.match(ops)) for _, _, m, ops in decoded)


DEFAULT_SET = {"EM_ARM": "A32", "EM_AARCH64": "A64"}
MAPPING_SYMBOLS = {"$a": "A32", "$t": "T32", "$x": "A64", "$d": "data"}
_FLOAT32 = frozenset(f"v{name}.f32" for name in ("mul", "mla", "mls", "fma", "fms"))
_VECTOR = frozenset(("fmul", "fmla", "fmls"))
_QUAD = re.compile("q[0-9]")
READINGS = {
    "A32": _Reading(
        _words(b"\xf2\xf3"), capstone.CS_ARCH_ARM, capstone.CS_MODE_ARM, _FLOAT32, _QUAD
    ),
    "T32": _Reading(
        _thumb_words, capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB, _FLOAT32, _QUAD, b"\x00\xbf"
    ),
    "A64": _Reading(
        _words(b"\x4e\x6e\x4f"),
        capstone.CS_ARCH_ARM64,
        capstone.CS_MODE_ARM,
        _VECTOR,
        re.compile(r"v\d+\.4s"),
    ),
}
