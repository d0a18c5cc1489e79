"""Code that goes through an address which the loader leaves in a place; bytes of GNU as 2.40."""

from __future__ import annotations

import numpy as np
import pytest

from buildmatrix.elf.memory import Memory
from buildmatrix.elf.rows import program
from buildmatrix.elf.tables import Image
from buildmatrix.elf.through import unlooked
from tests.elf_factory import BASE, make

PLACE = BASE + 0x10
LOAD = "00000090000840f9"  # adrp x0, of this page; ldr x0, [x0, #16]
CALL, READ, RETURN, COMPARE = "00003fd6", "000040b9", "c0035fd6", "1f0000f1"


def _memory(code: str) -> Memory:
    text = [("$x", bytes.fromhex(code) + bytes(16))]
    readable = program(Image(make(machine="EM_AARCH64", text=text, exports=["value"])))
    assert readable is not None
    return Memory(readable)


@pytest.mark.parametrize(
    ("code", "called", "read"),
    [
        (LOAD + CALL + RETURN, [BASE + 8], []),
        (LOAD + READ + RETURN, [], [BASE + 8]),
        (LOAD + COMPARE + CALL + RETURN, [], []),
        (LOAD + RETURN, [], []),
    ],
)
def test_a_call_or_a_read_counts_where_nothing_compares_the_address(
    code: str, called: list[int], read: list[int]
) -> None:
    calls, reads = unlooked(_memory(code), {PLACE: "maybe"})
    empty = np.zeros(0)
    assert calls.get("maybe", empty).tolist() == called
    assert reads.get("maybe", empty).tolist() == read
