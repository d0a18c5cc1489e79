"""What is read of many words at once is what one word after the other says."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildmatrix.elf import values
from buildmatrix.elf.addresses import distinct, is_one_of
from buildmatrix.elf.constants import constants
from buildmatrix.elf.decoded import PAGE
from buildmatrix.elf.flow import follow
from buildmatrix.elf.memory import Memory
from buildmatrix.isa import a32, a64
from tests.elf_factory import BASE
from tests.unit.test_paths import NOP, RET, b, bl, cbz, memory_of

if TYPE_CHECKING:
    from buildmatrix.isa.patterns import Table

# Instructions that a walk tells apart; of the rest any word will do.
WORDS = (
    *(0x90000000, 0xB0000013, 0x10000080, 0x91005042, 0xF9400211, 0xAA0003E3, 0xD53BE040),
    *(0xA9BF7BFD, 0xA8C17BFD, 0xF9000002, 0x3D400020, 0x94000003, 0xD63F0020, 0xD61F0220),
    *(0x14000002, 0x17FFFFFE, 0x54000040, 0x36000041, 0xB4FFFFC0, RET, NOP, 0xD4200000, 0),
)
CODE = st.lists(st.sampled_from(WORDS) | st.integers(0, (1 << 32) - 1), min_size=1, max_size=60)


class Undecoded(Memory):
    """One word is read after the other."""

    pages = None


@settings(max_examples=60, deadline=None)
@given(CODE, st.integers(0, 59))
def test_decoded_code_leads_where_its_words_do(words: list[int], entry: int) -> None:
    memory = memory_of(struct.pack(f"<{len(words)}I", *words))
    start = BASE + 4 * min(entry, len(words) - 1)
    bodies = [follow(one, start, lambda _: True) for one in (memory, Undecoded(memory.program))]
    assert bodies[0] == bodies[1]


@settings(max_examples=60, deadline=None)
@given(CODE, st.dictionaries(st.integers(0, 31), st.integers(BASE, BASE + 400), max_size=6))
def test_decoded_code_leaves_in_the_registers_what_its_words_do(
    words: list[int], before: dict[int, int]
) -> None:
    memory = memory_of(struct.pack(f"<{len(words)}I", *words))
    plain = Undecoded(memory.program)
    for block in follow(plain, BASE, lambda _: True).blocks:
        behind = [values.after(one, block, before, thumb=False) for one in (memory, plain)]
        assert behind[0] == behind[1]
        calls = [
            [
                (target, dict(now))
                for _, target, now in values.at_calls(one, block, before, thumb=False)
            ]
            for one in (memory, plain)
        ]
        assert calls[0] == calls[1]


def test_a_branch_to_where_no_code_is_leads_to_a_block_of_nothing() -> None:
    """Below the file's first address too, where an end of 0 would lie behind it."""
    memory = memory_of(struct.pack("<2I", b(-BASE // 4 - 1000), RET))
    for one in (memory, Undecoded(memory.program)):
        outside, _ = follow(one, BASE, lambda _: True).blocks
        assert (outside.start, outside.end, outside.leaves) == (-4000, -4000, True)


def test_a_block_goes_on_over_the_end_of_a_page() -> None:
    words = [NOP] * (PAGE // 4 + 5) + [bl(1), RET]
    memory = memory_of(struct.pack(f"<{len(words)}I", *words))
    (block,) = follow(memory, BASE, lambda _: True).blocks
    assert (block.end - BASE, block.calls) == (4 * len(words), [BASE + 4 * (len(words) - 1)])


@pytest.mark.parametrize("table", [a32.A32, a32.T32, a64.TABLE])
def test_of_many_words_the_first_pattern_that_fits_each_is_named(table: Table) -> None:
    source = random.Random(7)
    words = [source.getrandbits(32) for _ in range(3000)]
    words += [p.value | source.getrandbits(32) & ~p.mask & 0xFFFFFFFF for p in table.patterns]
    places, patterns = table.match(np.array(words, np.uint32))
    named = dict(zip(places.tolist(), patterns.tolist(), strict=True))
    for place, word in enumerate(words):
        fits = (i for i, p in enumerate(table.patterns) if word & p.mask == p.value)
        assert named.get(place) == next(fits, None)


def test_halfwords_are_read_in_pairs_at_every_place() -> None:
    halves = np.array([0xBF00, 0xFF00, 0x0D50, 0xEF00, 0x0C50], np.uint16)
    places, patterns = a32.T32.match_pairs(halves)
    names = [a32.T32.patterns[index].name for index in patterns]
    assert dict(zip(places.tolist(), names, strict=True)) == {
        1: "vmul .f32, quad",
        3: "vfma vfms, quad",
    }


@pytest.mark.parametrize(
    ("words", "data"),
    [
        pytest.param((RET, 0x25A1E333), True, id="behind a return"),
        pytest.param((cbz(2), RET, 0x25A1E333, RET), False, id="a branch comes to it"),
        pytest.param((0x25A1E333, RET), False, id="no return before it"),
        pytest.param((b(3), NOP, RET, 0x25A1E333, RET), False, id="a jump comes to it"),
    ],
)
def test_a_few_words_that_nothing_leads_to_are_constants(
    words: tuple[int, ...], *, data: bool
) -> None:
    memory = memory_of(struct.pack(f"<{len(words)}I", *words))
    place = BASE + 4 * words.index(0x25A1E333)
    assert constants(memory, {"sve": np.array([place])}) == ({"sve"} if data else set())


def test_distinct_numbers_are_sorted_and_each_once() -> None:
    assert distinct(np.array([3, 1, 3, 2, 1])).tolist() == [1, 2, 3]
    assert distinct(np.zeros(0, np.int64)).tolist() == []
    assert is_one_of(np.array([1, 2, 10], np.uint8), (2, 10)).tolist() == [False, True, True]


MOV_8, MOV_1 = 0xD2800101, 0x52800021  # mov x1, #8; mov w1, #1
LOAD, PAIR, STORE = 0xF9400001, 0xA9400420, 0xF9000001  # ldr x1; ldp x0, x1; str x1


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ((MOV_8, NOP, 0xD2800080), 8),
        ((MOV_8, MOV_1), 1),
        ((MOV_8, STORE), 8),
        ((MOV_8, LOAD), 0),
        ((MOV_8, PAIR), 0),
        ((MOV_8, bl(4)), 0),
        ((NOP,), 0),
    ],
)
def test_a_number_in_a_register_is_the_last_that_was_moved_there(
    words: tuple[int, ...], value: int
) -> None:
    memory = memory_of(struct.pack(f"<{len(words)}I", *words))
    assert values.constant(memory, range(BASE, BASE + 4 * len(words), 4), 1) == value
