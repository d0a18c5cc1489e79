"""What kind of work an instruction does: multiplies vectors, loads, branches and so on.

Vector multiplies come from the tables that the audit reads code with, all else from the upper
levels of the encodings. Source: Arm Architecture Reference Manual, DDI 0487: C4.1 (A64), F3.1
(T32), F4.1 (A32).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal

import numpy as np

from buildmatrix.isa.a32 import A32, T32
from buildmatrix.isa.a64 import TABLE as A64
from buildmatrix.isa.branches import Kind, a64, t32

if TYPE_CHECKING:
    from collections.abc import Sequence

Set = Literal["a32", "t32", "a64"]


class Work(StrEnum):
    """Kinds of work. A multiply without an addition counts as a multiply-add: kernels begin with
    one."""

    QUAD = "quad multiply-adds"  # of four or more lanes of floating point
    PAIR = "pair multiply-adds"  # of two
    INTEGER_NEON = "integer NEON multiply-adds"
    NEON = "other NEON"
    SCALAR = "scalar multiply-adds"
    FLOAT = "other scalar float"
    INTEGER = "integer"
    LOAD = "loads"
    STORE = "stores"
    BRANCH = "branches"


MULTIPLIES = {
    "float32": Work.QUAD,
    "float16": Work.QUAD,
    "bfloat16": Work.QUAD,
    "float32_pair": Work.PAIR,
    "int8": Work.INTEGER_NEON,
    "int16": Work.INTEGER_NEON,
}
TABLES = {"a32": A32, "t32": T32, "a64": A64}


def works(words: Sequence[int], instructions: Set) -> list[Work]:
    """The kind of work of each word of one instruction set.

    A Thumb instruction of two halfwords has the first one in its upper half, and one of a single
    halfword is below 0x10000.
    """
    chosen = {"a32": _a32, "t32": _t32, "a64": _a64}[instructions]
    found = [chosen(word) for word in words]
    table = TABLES[instructions]
    array = np.array(words, np.uint32)
    places, patterns = table.match(array)
    for place, index in zip(places.tolist(), patterns.tolist(), strict=True):
        multiplies = table.patterns[index].multiplies
        if multiplies and (instructions != "t32" or words[place] > 0xFFFF):
            found[place] = MULTIPLIES[multiplies]
    return found


def _moved(load: int) -> Work:
    return Work.LOAD if load else Work.STORE


def _a64(word: int) -> Work:
    group = word >> 25 & 15
    if group & 0b0101 == 0b0100:
        return _a64_memory(word)
    if group & 0b0111 == 0b0111:
        if word & 0x5F000000 == 0x1F000000 or word & 0x5F207C00 == 0x1E200800:
            return Work.SCALAR  # fmadd and its kin; fmul and fnmul
        return Work.FLOAT if word & 0x5F000000 == 0x1E000000 else Work.NEON
    branches = group & 0b1110 == 0b1010 and a64(word, 0).kind is not Kind.NEXT
    calls = word & 0xFE000000 == 0xD6000000
    return Work.BRANCH if branches or calls else Work.INTEGER


def _a64_memory(word: int) -> Work:
    """Loads and stores; an atomic operation and a prefetch count as loads."""
    if word & 0x3F200C00 == 0x38200000:  # ldadd, swp
        return Work.LOAD
    single = word & 0x3A000000 == 0x38000000
    if word & 0x3B000000 == 0x18000000:  # literal
        return Work.LOAD
    if not single:  # pairs, exclusives, structures of NEON
        return _moved(word >> 22 & 1)
    wide = word & 0xC4800000 == 0x04800000  # 128 bits: the lower bit of opc alone tells
    return _moved(word >> 22 & 1 if wide else word >> 22 & 3)


def _coprocessor(word: int) -> Work:
    """Floating point of 32-bit code: 0xxxx110 and 0xxxx111 of its upper bits, without condition."""
    if word & 0x0E000000 == 0x0C000000:
        if word & 0x0FE00000 == 0x0C400000:  # vmov of two core registers, mrrc
            return Work.FLOAT
        return _moved(word >> 20 & 1)
    if word & 0x0E00 != 0x0A00 or word & 0x10 or word & 0x0F000000 == 0x0F000000:
        float_move = word & 0x0E00 == 0x0A00 and word & 0x0F000000 == 0x0E000000
        return Work.FLOAT if float_move else Work.INTEGER
    operation = word >> 20 & 0xB  # D left out
    return Work.SCALAR if operation in (0, 1, 2, 9, 10) else Work.FLOAT


def _a32(word: int) -> Work:
    if word >> 28 == 0xF:
        return _a32_unconditional(word)
    group = word >> 25 & 7
    if group in (6, 7):
        return _coprocessor(word)
    if group == 5 or word & 0x0FFFFFD0 == 0x012FFF10:  # b, bl; bx, blx
        return Work.BRANCH
    if group in {2, 4} or (group == 3 and not word & 0x10):
        return _moved(word >> 20 & 1)
    if group == 0 and word & 0x90 == 0x90 and (word & 0x60 or word & 0x0F800000 == 0x01800000):
        double = word & 0x00100060 == 0x40  # ldrd stands where a store would
        return Work.LOAD if double else _moved(word >> 20 & 1)
    return Work.INTEGER


def _a32_unconditional(word: int) -> Work:
    if word >> 25 == 0x79:  # 0xF2, 0xF3
        return Work.NEON
    if word & 0xFF100000 == 0xF4000000:
        return _moved(word >> 21 & 1)
    if word >> 25 == 0x7D:
        return Work.BRANCH
    return Work.NEON if word >> 24 in (0xFC, 0xFD, 0xFE) else Work.INTEGER


def _t32(word: int) -> Work:
    if word < 0x10000:
        return _t16(word)
    first = word >> 16
    if word >> 24 in (0xEF, 0xFF):
        return Work.NEON
    if first >> 8 in (0xFC, 0xFD, 0xFE):
        return Work.NEON
    if first >> 9 == 0x76 or first >> 8 == 0xEE:  # 0xEC, 0xED, 0xEE
        return _coprocessor(word)
    if word & 0xFF100000 == 0xF9000000:
        return _moved(word >> 21 & 1)
    if first >> 9 in (0x74, 0x7C):  # 0xE8, 0xE9; 0xF8, 0xF9
        return _moved(word >> 20 & 1)
    branches = (
        word & 0xF8008000 == 0xF0008000 and t32(first, word & 0xFFFF, 0).kind is not Kind.NEXT
    )
    return Work.BRANCH if branches else Work.INTEGER


def _t16(word: int) -> Work:
    if word >> 11 == 0x9:
        return Work.LOAD
    if word >> 12 == 0x5:
        return _moved(word >> 9 & 7 >= 3)
    if 0x6 <= word >> 12 <= 0x9 or word >> 12 == 0xC:
        return _moved(word >> 11 & 1)
    if word >> 9 in (0x5A, 0x5E):  # push, pop
        return _moved(word >> 11 & 1)
    calls = word & 0xFF00 == 0x4700
    return Work.BRANCH if calls or t32(word, 0, 0).kind is not Kind.NEXT else Work.INTEGER
