"""Which functions lead to others: the first of two in one section to the second, `newer`.

Bytes are those of GNU as 2.40.
"""

from __future__ import annotations

import pytest

from buildmatrix.elf.leads import Leads
from buildmatrix.elf.memory import Memory
from buildmatrix.elf.rows import program
from buildmatrix.elf.tables import Image
from tests.elf_factory import A32_RETURN, A64_RETURN, BASE, T32_RETURN, make

RETURNS = {"$a": A32_RETURN, "$t": T32_RETURN, "$x": A64_RETURN}
MACHINES = {"$x": "EM_AARCH64"}


def _leads(mark: str, code: str) -> Leads:
    pieces = [(mark, bytes.fromhex(code)), (mark, RETURNS[mark])]
    readable = program(
        Image(make(machine=MACHINES.get(mark, "EM_ARM"), text=pieces, symbols="both"))
    )
    assert readable is not None
    return Leads(Memory(readable))


def _who_leads_to_the_second(mark: str, code: str) -> frozenset[int]:
    leads = _leads(mark, code)
    return leads.leading_to(leads.functions([BASE + len(bytes.fromhex(code))]))


@pytest.mark.parametrize(
    ("mark", "code"),
    [
        pytest.param("$x", "02000094c0035fd6", id="bl"),
        pytest.param("$x", "02000014c0035fd6", id="b"),
        pytest.param("$x", "40000054c0035fd6", id="b.eq"),
        pytest.param("$x", "400000b4c0035fd6", id="cbz"),
        pytest.param("$x", "40000036c0035fd6", id="tbz"),
        pytest.param("$x", "40000010c0035fd6", id="adr"),
        pytest.param("$x", "000000901f2003d500400091c0035fd6", id="adrp, nop, add"),
        pytest.param("$a", "000000eb1eff2fe1", id="ARM bl"),
        pytest.param("$a", "0000000a1eff2fe1", id="ARM beq"),
        pytest.param("$t", "00f001f87047", id="Thumb bl"),
        pytest.param("$t", "00f001b87047", id="Thumb b.w"),
        pytest.param("$t", "00f001807047", id="Thumb beq.w"),
        pytest.param("$t", "00e07047", id="Thumb b"),
        pytest.param("$t", "00d07047", id="Thumb beq"),
    ],
)
def test_a_function_leads_to_what_it_names(mark: str, code: str) -> None:
    assert _who_leads_to_the_second(mark, code) == {0, 1}


@pytest.mark.parametrize(
    ("mark", "code"),
    [("$x", "1f2003d5c0035fd6"), ("$a", "00f020e31eff2fe1"), ("$t", "00bf7047")],
)
def test_a_function_that_names_no_other_leads_nowhere(mark: str, code: str) -> None:
    assert _who_leads_to_the_second(mark, code) == {1}


@pytest.mark.parametrize(("low_bit", "functions"), [(1, {1}), (0, set())])
def test_a_word_is_a_function_s_address_where_it_says_its_instruction_set(
    low_bit: int, functions: set[int]
) -> None:
    """A sum with the place of another instruction is none: it was taken for ARM code within Thumb
    code whose halves read as an instruction without a condition."""
    text = [
        ("$t", bytes.fromhex("00bf7047")),
        ("$d", (BASE + 8 + low_bit).to_bytes(4, "little")),
        ("$t", bytes.fromhex("704700e0")),
    ]
    readable = program(Image(make(text=text, symbols="both")))
    assert readable is not None
    leads = Leads(Memory(readable))
    assert leads.taken == leads.functions(BASE + 8 for _ in functions)
