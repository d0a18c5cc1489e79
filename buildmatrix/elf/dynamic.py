"""The dynamic section, the symbol versions a file needs, the BLAS it offers, its stack."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from elftools.elf.dynamic import DynamicSection
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.sections import SymbolTableSection

from buildmatrix.elf.sections import at_most, first
from buildmatrix.nouns import version_tuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import Symbol

BLAS = ("cblas_sgemm", "sgemm_")  # of its C interface, and of Fortran's
DF_TEXTREL = 0x4
VERSION_WEAK = 0x2  # VER_FLG_WEAK: the loader accepts a libc without it

# A relocation format that the loader learned in glibc 2.36 and announces under this name.
ABI_NAMES = {"GLIBC_ABI_DT_RELR": "GLIBC_2.36"}


@dataclass(frozen=True, slots=True)
class Dynamic:
    soname: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    text_relocations: bool = False


def dynamic(elf: ELFFile) -> Dynamic:
    section = first(elf, DynamicSection)
    if section is None:
        return Dynamic()
    found: dict[str, list[Any]] = defaultdict(list)
    limit = section["sh_size"] // elf.structs.Elf_Dyn.sizeof()
    for tag in at_most(limit, section.iter_tags(), "dynamic tags"):
        kind = tag.entry.d_tag
        text = kind in ("DT_SONAME", "DT_NEEDED", "DT_RPATH", "DT_RUNPATH")
        found[kind].append(getattr(tag, kind[3:].lower()) if text else tag.entry.d_val)
    paths = [path for path in (*found["DT_RPATH"], *found["DT_RUNPATH"]) if path]
    return Dynamic(
        soname="".join(found["DT_SONAME"][:1]),
        needed=tuple(found["DT_NEEDED"]),
        rpath=tuple(part for path in paths for part in path.split(":")),
        text_relocations="DT_TEXTREL" in found or any(f & DF_TEXTREL for f in found["DT_FLAGS"]),
    )


def versions(elf: ELFFile) -> Iterator[str]:
    """Symbol versions that other libraries must offer, weak references left out."""
    section = first(elf, GNUVerNeedSection)
    if section is None:
        return
    entries = (entry for _, entries in section.iter_versions() for entry in entries)
    limit = section["sh_size"] // elf.structs.Elf_Vernaux.sizeof()
    for entry in at_most(limit, entries, "symbol versions"):
        if not entry["vna_flags"] & VERSION_WEAK:
            yield ABI_NAMES.get(entry.name, entry.name)


def blas(elf: ELFFile) -> tuple[str, ...]:
    """Those of BLAS that the file offers to others: one function stands for all."""
    section = next((s for s in elf.iter_sections() if s["sh_type"] == "SHT_DYNSYM"), None)
    if not isinstance(section, SymbolTableSection) or not _names_blas(elf, section):
        return ()
    symbols = at_most(section.num_symbols(), section.iter_symbols(), "symbols")
    return tuple(sorted({s.name for s in symbols if s.name in BLAS and _offered(s)}))


def _names_blas(elf: ELFFile, section: SymbolTableSection) -> bool:
    """Most files name none, and to look at a hundred thousand symbols takes seconds."""
    names: bytes = elf.get_section(section["sh_link"]).data()
    return any(name.encode() + b"\0" in names for name in BLAS)


def _offered(symbol: Symbol) -> bool:
    return (
        symbol["st_shndx"] != "SHN_UNDEF"
        and symbol["st_info"]["bind"] in ("STB_GLOBAL", "STB_WEAK")
        and symbol["st_other"]["visibility"] in ("STV_DEFAULT", "STV_PROTECTED")
    )


def highest(prefix: str, versions: Iterable[str]) -> str:
    """The highest dotted number behind `prefix`; GLIBC_PRIVATE has none and does not count."""
    found = [m[1] for v in versions if (m := re.fullmatch(prefix + r"(\d+(?:\.\d+)*)", v))]
    return max(found, key=version_tuple, default="")


def executable_stack(elf: ELFFile) -> bool:
    """What the loader will do: without a PT_GNU_STACK header glibc's default on ARM is yes."""
    for segment in elf.iter_segments("PT_GNU_STACK"):
        return bool(segment["p_flags"] & 1)
    return bool(elf.num_segments() > 0)
