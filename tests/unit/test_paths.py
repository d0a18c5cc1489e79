"""Which instructions a run cannot avoid, on functions of a few hand-made instructions."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildmatrix import elf
from buildmatrix.elf import values
from buildmatrix.elf.flow import follow
from buildmatrix.elf.memory import Memory
from buildmatrix.elf.reach import Walk
from buildmatrix.elf.roots import may_be_code
from buildmatrix.elf.rows import Program
from buildmatrix.elf.tables import DYNAMIC, Image, Section
from tests.elf_factory import BASE, make

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LDADD = 0xB87D02BC  # ldaddl w29, w28, [x21]
RET, NOP, BRK = 0xD65F03C0, 0xD503201F, 0xD4200000
STUB = (0x90000090, 0xF9400211, 0x91000210, 0xD61F0220)  # adrp x16, DATA; ldr x17, [x16]; br x17
DATA = 0x20000
RELATIVE, IRELATIVE = 1027, 1032


def bl(words: int) -> int:
    return 0x94000000 | words & 0x3FFFFFF


def b(words: int) -> int:
    return 0x14000000 | words & 0x3FFFFFF


def cbz(words: int) -> int:
    return 0xB4000000 | (words & 0x7FFFF) << 5


def memory_of(code: bytes, *extra: Section, data: bytes = b"", machine: str = "") -> Memory:
    """A program that starts with `code` at BASE; `extra` sections lie in `data`, by its offsets.

    A dynamic section among them takes the place of the program's own.
    """
    name = machine or "EM_AARCH64"
    image = make(machine=name, elf_type="ET_EXEC", text=[("$x", code)], symbols="none")
    moved = [s._replace(offset=s.offset + len(image)) for s in extra]
    named = any(s.name == ".dynamic" for s in extra)
    own = [s._replace(type=0) if named and s.type == DYNAMIC else s for s in Image(image).sections]
    return Memory(Program(Image(image + data, sections=(*own, *moved))))


def way(
    words: Sequence[int], *extra: Section, data: bytes = b"", strict: bool = True
) -> tuple[str, ...]:
    """How a run comes to the LDADD in `words`; empty where it may not."""
    memory = memory_of(struct.pack(f"<{len(words)}I", *words), *extra, data=data)
    places = np.array([BASE + 4 * i for i, word in enumerate(words) if word == LDADD], np.int64)
    return Walk(memory, {"atomics": places}, strict=strict).paths().get("atomics", ())


@pytest.mark.parametrize(
    ("words", "functions"),
    [
        pytest.param((NOP, LDADD, RET), "0x10000", id="straight on"),
        pytest.param((cbz(2), LDADD, RET), "", id="a branch round it"),
        pytest.param((cbz(2), NOP, LDADD, RET), "0x10000", id="where two ways meet again"),
        pytest.param((cbz(2), BRK, LDADD, RET), "0x10000", id="the other way is a trap"),
        pytest.param((b(2), NOP, LDADD, RET), "0x10000", id="a tail call"),
        pytest.param((NOP, cbz(-1), LDADD, RET), "0x10000", id="behind a loop"),
        pytest.param((cbz(3), LDADD, cbz(-1), RET), "", id="a loop of perhaps no round"),
        pytest.param((LDADD, b(-1)), "0x10000", id="a loop without an end"),
        pytest.param((RET, LDADD), "", id="behind the end"),
        pytest.param(
            (bl(2), RET, bl(2), RET, LDADD, RET), "0x10000 0x10008 0x10010", id="two calls deep"
        ),
        pytest.param((cbz(2), bl(2), RET, LDADD, RET), "", id="a call under a condition"),
        pytest.param((bl(2), RET, bl(-2), LDADD, RET), "0x10000 0x10008", id="two that call"),
    ],
)
def test_only_what_every_way_through_a_function_has_is_unavoidable(
    words: tuple[int, ...], functions: str
) -> None:
    assert way(words) == (("_start", *functions.split()) if functions else ())


def test_in_a_file_that_never_asks_a_function_that_is_entered_counts_as_a_whole() -> None:
    assert way((cbz(2), LDADD, RET), strict=False) == ("_start", "0x10000")


def test_libgccs_outlined_atomics_ask_themselves() -> None:
    helper = (0x90000010, 0x39400210, 0x34000010 | 3 << 5, LDADD, RET, NOP, RET)
    assert way((bl(2), RET, *helper), strict=False) == ()


def test_a_stub_leads_to_the_function_of_this_file_in_its_slot() -> None:
    got = Section(".got", 1, 3, DATA, 0, 8, 0, 0, 8, 8)
    words = (bl(22), RET, *[NOP] * 20, *STUB, LDADD, RET)  # far from _start
    target = struct.pack("<Q", BASE + 104)
    assert way(words, got, data=target) == ("_start", "0x10000", "0x10068")


@pytest.mark.parametrize(
    ("kind", "section", "label"),
    [
        (RELATIVE, 14, ".init_array"),
        (RELATIVE, 15, ".fini_array"),
        (RELATIVE, 16, ".preinit_array"),
        (IRELATIVE, 1, "IFUNC resolver"),
    ],
)
def test_what_the_loader_calls_stands_in_relocations(kind: int, section: int, label: str) -> None:
    """The place itself is empty in the file: the loader fills it."""
    array = Section(label if label[0] == "." else ".data", section, 3, DATA, 0, 8, 0, 0, 8, 8)
    relocations = Section(".rela.dyn", 4, 2, DATA + 0x1000, 8, 24, 0, 0, 8, 24)
    data = bytes(8) + struct.pack("<QQq", DATA, kind, BASE + 8)
    assert way((NOP, RET, LDADD, RET), array, relocations, data=data) == (label, "0x10008")


@pytest.mark.parametrize(("tag", "label"), [(12, "DT_INIT"), (13, "DT_FINI")])
def test_the_dynamic_section_names_what_runs_first_and_last(tag: int, label: str) -> None:
    texts = Section(".dynstr", 3, 2, DATA + 0x2000, 0, 1, 0, 0, 1, 0)
    named = Section(".dynamic", 6, 3, DATA, 1, 32, 0, 0, 8, 16)
    named = named._replace(link=len(memory_of(b"").image.sections))
    data = bytes(1) + struct.pack("<4Q", tag, BASE + 8, 0, 0)
    assert way((NOP, RET, LDADD, RET), texts, named, data=data) == (label, "0x10008")


def test_main_is_what_start_hands_to_the_c_library() -> None:
    adrp, add = 0x90000000, 0x91004000  # x0, this page; x0, x0, #16
    assert way((adrp, add, RET, NOP, LDADD, RET)) == ("main", "0x10010")


def test_a_program_that_calls_getauxval_may_choose(tmp_path: Path) -> None:
    words = struct.pack("<3I", cbz(2), LDADD, RET)
    found = []
    for name in ("getauxval", "getpid"):
        image = make(
            machine="EM_AARCH64",
            elf_type="ET_EXEC",
            text=[("$x", words)],
            symbols="none",
            exports=[name],
        )
        (tmp_path / name).write_bytes(image)
        (use,) = elf.read(tmp_path / name, name).features or ()
        found.append((use.feature, use.count, bool(use.path)))
    assert found == [("atomics", 1, False), ("atomics", 1, True)]


@pytest.mark.parametrize(
    ("words", "unavoidable"),
    [
        pytest.param((0xE1900C9F, 0xE12FFF1E), True, id="lda, bx lr"),
        pytest.param((0x01900C9F, 0xE12FFF1E), False, id="ldaeq"),
        pytest.param((0x012FFF1E, 0xE1900C9F, 0xE12FFF1E), False, id="bxeq lr before it"),
        pytest.param((0x0A000000, 0xE1A00000, 0xE1900C9F, 0xE12FFF1E), True, id="beq to it"),
    ],
)
def test_an_arm_instruction_has_a_condition_of_its_own(
    words: tuple[int, ...], *, unavoidable: bool
) -> None:
    memory = memory_of(struct.pack(f"<{len(words)}I", *words), machine="EM_ARM")
    places = [BASE + 4 * i for i, word in enumerate(words) if word & 0xFFFFFFF == 0x1900C9F]
    found = Walk(memory, {"armv8": np.array(places, np.int64)}, strict=True).paths()
    assert bool(found) is unavoidable


def test_halves_of_two_instructions_are_none() -> None:
    """Debian 12's libgomp for armhf, stripped: bl and ldr.w read from their middle are vdot."""
    memory = memory_of(struct.pack("<2I", 0xE1900C9F, 0xE12FFF1E), machine="EM_ARM")
    found = [
        Walk(memory, {"armv8": np.array([place], np.int64)}, strict=True).paths()
        for place in (BASE, BASE + 2)
    ]
    assert [list(ways) for ways in found] == [["armv8"], []]


class Counted(Memory):
    """How often the code was looked at."""

    looks = 0

    def half(self, address: int) -> int | None:
        self.looks += 1
        return super().half(address)

    def word(self, address: int) -> int | None:
        self.looks += 1
        return super().word(address)


BRANCHES = (cbz(2), cbz(-3), b(-2), b(3), bl(1), 0x0A000001, 0xEAFFFFFC, 0xD1FEBF08, RET, NOP)
CODE = st.lists(st.sampled_from(BRANCHES) | st.integers(0, (1 << 32) - 1), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(CODE, st.sampled_from((("EM_AARCH64", 0), ("EM_ARM", 0), ("EM_ARM", 1))))
def test_any_bytes_are_followed_to_an_end_within_them(
    words: list[int], kind: tuple[str, int]
) -> None:
    machine, thumb = kind
    memory = memory_of(struct.pack(f"<{len(words)}I", *words), machine=machine)
    counted = Counted(memory.program)
    body = follow(counted, BASE | thumb, lambda _: True)
    end = BASE + 4 * len(words)
    inside = [block for block in body.blocks if block.end != block.start]
    assert all(BASE <= block.start < block.end <= end + 2 for block in inside)
    assert body.unavoidable <= {block.start for block in body.blocks}
    assert counted.looks <= 8 * (2 * len(words) + 1) ** 2


def registers_at_the_end(words: Sequence[int], machine: str, *, thumb: bool) -> dict[int, int]:
    memory = memory_of(struct.pack(f"<{len(words)}I", *words), machine=machine)
    (block,) = follow(memory, BASE | thumb, lambda _: True).blocks
    return values.after(memory, block, {}, thumb=thumb)


@pytest.mark.parametrize(
    ("words", "machine", "thumb", "register", "value"),
    [
        pytest.param(
            (0x90000002, 0x91005042, RET), "EM_AARCH64", False, 2, BASE + 20, id="adrp, add"
        ),
        pytest.param(
            (0x10000080, 0xAA0003E3, RET), "EM_AARCH64", False, 3, BASE + 16, id="adr, mov"
        ),
        pytest.param((0xF9000002, RET), "EM_AARCH64", False, 2, None, id="a store sets nothing"),
        pytest.param(
            (0xE59F2000, 0xE12FFF1E, 0x1234), "EM_ARM", False, 2, 0x1234, id="ldr, of a literal"
        ),
        pytest.param(
            (0xE59F2004, 0xE08F2002, 0xE12FFF1E, 0x100),
            *("EM_ARM", False, 2, BASE + 12 + 0x100),
            id="ldr, add pc",
        ),
        pytest.param(
            (0x447A4A01, 0x46C04770, 0x100), "EM_ARM", True, 2, BASE + 6 + 0x100, id="Thumb's"
        ),
        pytest.param((0xE3012234, 0xE3402001, 0xE12FFF1E), "EM_ARM", False, 2, 0x11234, id="movt"),
    ],
)
def test_addresses_that_code_puts_together_are_read(
    words: tuple[int, ...], machine: str, register: int, value: int | None, *, thumb: bool
) -> None:
    assert registers_at_the_end(words, machine, thumb=thumb).get(register) == value


def test_a_call_leaves_nothing_in_the_registers_of_arguments() -> None:
    words = (0x90000000, 0x90000013, bl(4), RET)  # adrp x0; adrp x19
    assert registers_at_the_end(words, "EM_AARCH64", thumb=False) == {19: BASE}


def test_stripped_code_of_armv8_is_found_where_a_call_leads_to_it() -> None:
    """vmov s0, r0; vrintm: ARMv8's own instructions have 0xF where others have 'always'."""
    code = struct.pack("<4I", 0xEE000A10, 0xFEFB0A40, 0xEE100A10, 0xE12FFF1E)
    assert may_be_code(memory_of(code, machine="EM_ARM"), BASE)
    data = struct.pack("<4I", 0x00000010, 0xFEFB0A40, 0xEE100A10, 0xE12FFF1E)
    assert not may_be_code(memory_of(data, machine="EM_ARM"), BASE)
