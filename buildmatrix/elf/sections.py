"""Looking for sections in a file that need not be what it claims."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from elftools.common.exceptions import ELFError
from elftools.construct import ConstructError
from elftools.elf.sections import Section

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from elftools.elf.elffile import ELFFile

# What pyelftools raises on bytes that are not what they claim: its own errors, and Python's where
# it trusts the file. A bug of ours would look the same, so the cause stays chained.
FAULTS = (
    *(ELFError, ConstructError, ArithmeticError, AssertionError, AttributeError),
    *(LookupError, MemoryError, TypeError, ValueError),
)

S = TypeVar("S", bound=Section)
T = TypeVar("T")


def check_tables(elf: ELFFile, size: int) -> None:
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


def first(elf: ELFFile, kind: type[S]) -> S | None:
    return next((s for s in elf.iter_sections() if isinstance(s, kind)), None)


def at_most(limit: int, items: Iterable[T], what: str) -> Iterator[T]:
    """Bound a walk whose length the file itself dictates."""
    iterator = iter(items)
    yield from islice(iterator, limit)
    for _ in iterator:
        raise ELFError(f"more {what} than fit into their section")
