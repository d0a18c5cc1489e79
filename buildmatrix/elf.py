"""Reads what an ELF file says about itself; nothing is executed, nothing is judged.

Quad-register float multiplies are counted from the code itself, because the attributes can lie
in both directions: FFmpeg's assembler suppresses the SIMD tag, and a library built with
-mfpu=neon carries it without one NEON kernel.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import capstone
from elftools.common.exceptions import ELFError
from elftools.construct import ConstructError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.sections import (
    ARMAttributesSection,
    ARMAttributesSubsection,
    Section,
    SymbolTableSection,
)

from buildmatrix.errors import AuditError, InputError
from buildmatrix.model import ElfFacts, version_tuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

S = TypeVar("S", bound=Section)
T = TypeVar("T")

# What pyelftools raises on bytes that are not what they claim: its own errors, and Python's where
# it trusts the file. A bug of ours would look the same, so the cause stays chained.
FAULTS = (
    *(ELFError, ConstructError, ArithmeticError, AssertionError, AttributeError),
    *(LookupError, MemoryError, TypeError, ValueError),
)

# The words of `readelf -A`, indexed by value. Source: Addenda to, and Errata in, the ABI for the
# Arm Architecture (ADDENDA32), public build attributes; 0 is 'none' and shown as nothing.
CPU_ARCH = (
    *("Pre-v4", "v4", "v4T", "v5T", "v5TE", "v5TEJ", "v6", "v6KZ", "v6T2", "v6K", "v7"),
    *("v6-M", "v6S-M", "v7E-M", "v8", "v8-R", "v8-M.baseline", "v8-M.mainline"),
    *("v8.1-A", "v8.2-A", "v8.3-A", "v8.1-M.mainline", "v9"),
)
FP_ARCH = (
    *("", "VFPv1", "VFPv2", "VFPv3", "VFPv3-D16", "VFPv4", "VFPv4-D16"),
    *("FP for ARMv8", "FPv5/FP-D16 for ARMv8"),
)
SIMD_ARCH = ("", "NEONv1", "NEONv1 with Fused-MAC", "NEON for ARMv8", "NEON for ARMv8.1")
VFP_ARGS_IN_REGISTERS, VFP_ARGS_COMPATIBLE = 1, 3

FLAG_SOFT, FLAG_HARD = 0x200, 0x400  # EF_ARM_ABI_FLOAT_*, written by the linker only
EXECINSTR = 0x4  # SHF_EXECINSTR
DF_TEXTREL = 0x4
VERSION_WEAK = 0x2  # VER_FLG_WEAK: the loader accepts a libc without it

# A relocation format that the loader learned in glibc 2.36 and announces under this name.
ABI_NAMES = {"GLIBC_ABI_DT_RELR": "GLIBC_2.36"}


def is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def read_tree(root: Path) -> tuple[ElfFacts, ...]:
    """Facts of every ELF file below `root`, named relative to it, sorted; symlinks not followed.

    Raises AuditError for a file that begins like ELF and cannot be read.
    """
    files = sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink())
    return tuple(read(p, p.relative_to(root).as_posix()) for p in files if is_elf(p))


def read(path: Path, name: str) -> ElfFacts:
    """Facts of one file, shown as `name`. Raises InputError (no file), AuditError (broken ELF)."""
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise InputError(
            f"cannot be read: {exc.strerror}", where=name, hint="check the path"
        ) from exc
    try:
        return _facts(ELFFile(io.BytesIO(data)), name, len(data))
    except FAULTS as exc:
        raise AuditError(
            "is not a whole ELF file",
            where=name,
            details=str(exc),
            hint="build or copy it again; `readelf -aW` shows where it breaks",
        ) from exc


def _facts(elf: ELFFile, name: str, size: int) -> ElfFacts:
    _check_tables(elf, size)
    arm = elf["e_machine"] == "EM_ARM"
    flags = elf["e_flags"]
    tags = _attributes(elf) if arm else {}
    dynamic = _dynamic(elf)
    versions = tuple(_versions(elf))
    return ElfFacts(
        file=name,
        machine=str(elf["e_machine"]) + ("" if elf.little_endian else " (big-endian)"),
        elf_type=str(elf["e_type"]),
        eabi=flags >> 24 if arm else 0,
        float_abi=_float_abi(flags, tags) if arm else "unspecified",
        cpu_arch=_word(CPU_ARCH, tags.get("TAG_CPU_ARCH")),
        fp_arch=_word(FP_ARCH, tags.get("TAG_FP_ARCH")),
        simd=_word(SIMD_ARCH, tags.get("TAG_ADVANCED_SIMD_ARCH")),
        vfp_args=tags.get("TAG_ABI_VFP_ARGS") == VFP_ARGS_IN_REGISTERS,
        soname=dynamic.soname,
        needed=dynamic.needed,
        rpath=dynamic.rpath,
        glibc_max=_highest("GLIBC_", versions),
        glibcxx_max=_highest("GLIBCXX_", versions),
        executable_stack=_executable_stack(elf),
        neon_instructions=_neon_instructions(elf),
        text_relocations=dynamic.text_relocations,
    )


def _check_tables(elf: ELFFile, size: int) -> None:
    """Every table lies inside the file. Without this a damaged count costs minutes, not an error.

    A file without section headers is refused: its attributes and symbol versions are gone, and
    an audit that sees nothing would pass.
    """
    if elf["e_shoff"] == 0:
        raise ELFError("the section header table was stripped; audit the file before that")
    if elf["e_shentsize"] != elf.structs.Elf_Shdr.sizeof():
        raise ELFError(f"section headers of {elf['e_shentsize']} bytes")
    if elf["e_phnum"] and elf["e_phentsize"] != elf.structs.Elf_Phdr.sizeof():
        raise ELFError(f"program headers of {elf['e_phentsize']} bytes")
    for section in elf.iter_sections():
        end = section["sh_offset"] + section["sh_size"]
        if section["sh_type"] not in ("SHT_NULL", "SHT_NOBITS") and end > size:
            raise ELFError(f"section {section.name} ends at byte {end}, the file at {size}")
    for segment in elf.iter_segments():
        end = segment["p_offset"] + segment["p_filesz"]
        if end > size:
            raise ELFError(f"segment {segment['p_type']} ends at byte {end}, the file at {size}")


def _first(elf: ELFFile, kind: type[S]) -> S | None:
    return next((s for s in elf.iter_sections() if isinstance(s, kind)), None)


def _at_most(limit: int, items: Iterable[T], what: str) -> Iterator[T]:
    """Bound a walk whose length the file itself dictates."""
    iterator = iter(items)
    yield from islice(iterator, limit)
    for _ in iterator:
        raise ELFError(f"more {what} than fit into their section")


# -- build attributes ---------------------------------------------------------------------------


def _attributes(elf: ELFFile) -> Mapping[str, int]:
    """Tag -> value of the file scope of the 'aeabi' vendor; empty without .ARM.attributes.

    Walks the vendors itself, on a copy of the section: pyelftools computes the start of a second
    vendor wrongly and would follow damaged lengths through the whole file.
    """
    section = _first(elf, ARMAttributesSection)
    data = section.data() if section else b""
    start = 1  # after the format version 'A'
    while start < len(data):
        vendor = ARMAttributesSubsection(io.BytesIO(data), elf.structs, start)
        if vendor["vendor_name"] == "aeabi":
            scope = next(vendor.iter_subsubsections())
            if scope.header.tag != "TAG_FILE":
                raise ELFError("the attributes begin with those of a section, not of the file")
            return {tag.tag: tag.value for tag in scope.iter_attributes()}
        if vendor["length"] < 4:
            raise ELFError("a vendor part of .ARM.attributes has no length")
        start += vendor["length"]
    return {}


def _word(words: tuple[str, ...], value: int | None) -> str:
    if value is None:
        return ""
    return words[value] if value < len(words) else f"??? ({value})"


def _float_abi(flags: int, tags: Mapping[str, int]) -> str:
    """How floats are passed: hard | soft | unspecified.

    'soft' when the header or the attributes say so, whatever the other says. Tag_ABI_VFP_args
    binds only code with a floating-point model (Tag_ABI_FP_number_model), the rule by which GNU
    ld accepts or refuses a mix. Code without one takes no side, and neither does a file without
    header flag and attributes: Go's linker writes such executables.
    """
    args = tags.get("TAG_ABI_VFP_ARGS", 0)
    passes_in_core = args not in (VFP_ARGS_IN_REGISTERS, VFP_ARGS_COMPATIBLE)
    if flags & FLAG_SOFT or (passes_in_core and tags.get("TAG_ABI_FP_NUMBER_MODEL")):
        return "soft"
    if flags & FLAG_HARD or args == VFP_ARGS_IN_REGISTERS:
        return "hard"
    return "unspecified"


# -- dynamic section, versions, stack -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Dynamic:
    soname: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    text_relocations: bool = False


def _dynamic(elf: ELFFile) -> _Dynamic:
    section = _first(elf, DynamicSection)
    if section is None:
        return _Dynamic()
    found: dict[str, list[Any]] = defaultdict(list)
    limit = section["sh_size"] // elf.structs.Elf_Dyn.sizeof()
    for tag in _at_most(limit, section.iter_tags(), "dynamic tags"):
        kind = tag.entry.d_tag
        text = kind in ("DT_SONAME", "DT_NEEDED", "DT_RPATH", "DT_RUNPATH")
        found[kind].append(getattr(tag, kind[3:].lower()) if text else tag.entry.d_val)
    paths = [path for path in (*found["DT_RPATH"], *found["DT_RUNPATH"]) if path]
    return _Dynamic(
        soname="".join(found["DT_SONAME"][:1]),
        needed=tuple(found["DT_NEEDED"]),
        rpath=tuple(part for path in paths for part in path.split(":")),
        text_relocations="DT_TEXTREL" in found or any(f & DF_TEXTREL for f in found["DT_FLAGS"]),
    )


def _versions(elf: ELFFile) -> Iterator[str]:
    """Symbol versions that other libraries must offer, weak references left out."""
    section = _first(elf, GNUVerNeedSection)
    if section is None:
        return
    entries = (entry for _, entries in section.iter_versions() for entry in entries)
    limit = section["sh_size"] // elf.structs.Elf_Vernaux.sizeof()
    for entry in _at_most(limit, entries, "symbol versions"):
        if not entry["vna_flags"] & VERSION_WEAK:
            yield ABI_NAMES.get(entry.name, entry.name)


def _highest(prefix: str, versions: Iterable[str]) -> str:
    """The highest dotted number behind `prefix`; GLIBC_PRIVATE has none and does not count."""
    found = [m[1] for v in versions if (m := re.fullmatch(prefix + r"(\d+(?:\.\d+)*)", v))]
    return max(found, key=version_tuple, default="")


def _executable_stack(elf: ELFFile) -> bool:
    """What the loader will do: without a PT_GNU_STACK header glibc's default on ARM is yes."""
    for segment in elf.iter_segments("PT_GNU_STACK"):
        return bool(segment["p_flags"] & 1)
    return bool(elf.num_segments() > 0)


# -- NEON in the code ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reading:
    """How to find quad-register float multiplies in code of one instruction set."""

    candidates: Callable[[bytes], Iterator[bytes]]  # a cheap mask; capstone has the last word
    architecture: int
    mode: int
    mnemonics: frozenset[str]
    quad: re.Pattern[str]  # in the operands
    separator: bytes = b""  # keeps a candidate that is none from swallowing the next one


def _neon_instructions(elf: ELFFile) -> int:
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
