"""What the loader calls without a look: the functions that a file begins and ends with.

They are listed in arrays (DT_INIT_ARRAY and its like) or named by DT_INIT and DT_FINI. glibc calls
each entry, be it 0 or no code at all.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from buildmatrix.elf.dynamic import dynamic
from buildmatrix.elf.roots import is_program
from buildmatrix.elf.tables import (
    EXECINSTR,
    FINI_ARRAY,
    INIT_ARRAY,
    NOBITS,
    PREINIT_ARRAY,
    PT_LOAD,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.elf.memory import Memory
    from buildmatrix.elf.tables import Image

EXECUTE = 1  # PF_X
PREINIT = "DT_PREINIT_ARRAY"  # of a library the loader does not look at it
SECTIONS = {INIT_ARRAY: ".init_array", FINI_ARRAY: ".fini_array", PREINIT_ARRAY: ".preinit_array"}


def is_code(image: Image, address: int) -> bool:
    """Whether an address is one of code: in a section of instructions, or where there are no
    sections in a segment that may be executed, behind the headers."""
    segment = next(
        (
            s
            for s in image.segments
            if s.type == PT_LOAD and s.address <= address < s.address + s.file_size
        ),
        None,
    )
    if segment is None or not segment.flags & EXECUTE:
        return False
    code = [s for s in image.sections if s.flags & EXECINSTR and s.type != NOBITS]
    if code:
        return any(s.address <= address < s.address + s.size for s in code)
    return address - segment.address + segment.offset >= image.headers_end


def no_functions(memory: Memory) -> tuple[str, ...]:
    """The entries of a linked file that are no code of it, in words; those of another file are left
    out."""
    image, low = memory.image, ~1 if memory.arm else -1
    if not image.segments:
        return ()
    entries = (
        (name, address) for name, address, symbol in _entries(memory) if address or not symbol
    )
    called = chain(dynamic(image).called.items(), entries)
    odd = (
        f"{name} {address:#x}"
        for name, address in called
        if not _may_begin(memory, address)
        or (memory.section(address) is None and not is_code(image, address & low))
    )
    return tuple(dict.fromkeys(odd))


def _may_begin(memory: Memory, address: int) -> bool:
    """Whether an instruction may begin there: in Thumb code anywhere, with the low bit set."""
    return bool(memory.arm and address & 1) or address % 4 == 0


def listed_of_others(memory: Memory) -> dict[str, str]:
    """The functions of other files that the arrays name, each with the array."""
    return {symbol: name for name, address, symbol in _entries(memory) if symbol and not address}


def _entries(memory: Memory) -> Iterator[tuple[str, int, str]]:
    """The name of each array with each address that it holds, and the symbol whose it is."""
    image, size = memory.image, 8 if memory.image.wide else 4
    for name, start, length in dynamic(image).arrays or _of_static(image):
        if name == PREINIT and not is_program(image):
            continue
        for place in range(start, start + length, size):
            address, symbol = memory.pointer(place)
            yield name, address, symbol


def _of_static(image: Image) -> tuple[tuple[str, int, int], ...]:
    """Those of a static program, whose own start-up code knows where they are."""
    return tuple(
        (SECTIONS[s.type], s.address, s.size) for s in image.sections if s.type in SECTIONS
    )
