"""Where functions begin, told by symbols and by the tables that unwind the stack.

A stripped file keeps the latter: .eh_frame_hdr has every function with unwind information in order
(Linux Standard Base, 10.6.2), .ARM.exidx the same in place-relative words of 31 bits (EHABI32).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf.addresses import distinct
from buildmatrix.elf.rows import are_functions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from buildmatrix.elf.rows import Program
    from buildmatrix.elf.tables import Section

HEADER = bytes((1, 0x1B, 0x03, 0x3B))  # version; pc-relative, 4 bytes, relative to this section


def function_starts(program: Program) -> NDArray[np.int64]:
    """Addresses of the first instructions of functions, without Thumb's low bit, sorted."""
    parts = [np.zeros(0, np.int64)]
    for table in program.symbols:
        rows = table.rows[are_functions(table.rows) & (table.rows["section"] > 0)]
        parts.append(rows["value"].astype(np.int64) & (~1 if program.arm else -1))
    for section in program.image.sections:
        if section.name == ".eh_frame_hdr":
            parts.append(_unwound(program, section))
        elif section.name == ".ARM.exidx":
            parts.append(_indexed(program, section))
    return distinct(np.concatenate(parts))


def _unwound(program: Program, section: Section) -> NDArray[np.int64]:
    data = bytes(program.image.content(section))
    if data[:4] != HEADER or len(data) < 12:
        return np.zeros(0, np.int64)
    count = min(int.from_bytes(data[8:12], "little"), (len(data) - 12) // 8)
    table = np.frombuffer(data, "<i4", 2 * count, 12)[0::2].astype(np.int64)
    return table + section.address


def _indexed(program: Program, section: Section) -> NDArray[np.int64]:
    data = bytes(program.image.content(section))
    words = np.frombuffer(data, "<u4", len(data) // 8 * 2)[0::2].astype(np.int64)
    offsets = (words << 33) >> 33
    return (section.address + 8 * np.arange(len(words)) + offsets) & ~1
