"""Who comes to an instruction, asked backwards: of three pieces of code, the last one's callers.

Bytes are those of GNU as 2.40. Only the first piece is a function by name; the others begin where a
call leads.
"""

from __future__ import annotations

import pytest

from buildmatrix.elf.callers import Callers
from buildmatrix.elf.memory import Memory
from buildmatrix.elf.roots import exports
from buildmatrix.elf.rows import program
from buildmatrix.elf.tables import Image
from tests.elf_factory import BASE, make

MACHINES = {"$x": "EM_AARCH64"}
PIECE = 8  # bytes


def _callers(mark: str, code: str) -> Callers:
    image = make(
        machine=MACHINES.get(mark, "EM_ARM"), text=[(mark, bytes.fromhex(code))], symbols="both"
    )
    readable = program(Image(image))
    assert readable is not None
    memory = Memory(readable)
    return Callers(memory, (), exports(memory))


def _pieces(callers: Callers, numbers: frozenset[int]) -> list[int]:
    """Which of the pieces the parts begin."""
    return [n for n in range(3) if callers.number(BASE + PIECE * n) in numbers]


def _running(mark: str, code: str) -> list[int]:
    callers = _callers(mark, code)
    return _pieces(callers, callers.running({callers.number(BASE + 2 * PIECE)}))


# The first piece calls the second and the third, or the third alone.
@pytest.mark.parametrize(
    ("mark", "code"),
    [
        pytest.param("$x", "020000940300009402000014c0035fd6c0035fd6c0035fd6", id="A64 b"),
        pytest.param("$x", "020000940300009440000054c0035fd6c0035fd6c0035fd6", id="b.eq"),
        pytest.param("$x", "02000094030000941f2003d51f2003d5c0035fd6c0035fd6", id="runs on"),
        pytest.param("$a", "000000eb010000eb000000ea1eff2fe11eff2fe11eff2fe1", id="A32 b"),
        pytest.param("$a", "000000eb010000eb00f020e300f020e31eff2fe11eff2fe1", id="A32 on"),
        pytest.param("$t", "00f002f800f004f802e0704702e070477047704770477047", id="T32 b"),
        pytest.param("$t", "00f002f800f004f800bf00bf00bf00bf7047704770477047", id="T32 on"),
    ],
)
def test_what_jumps_or_runs_on_to_a_part_runs_it_as_its_own(mark: str, code: str) -> None:
    assert 1 in _running(mark, code)


@pytest.mark.parametrize(
    ("mark", "code"),
    [
        pytest.param("$x", "02000094030000941f2003d5c0035fd6c0035fd6c0035fd6", id="A64"),
        pytest.param("$a", "000000eb010000eb00f020e31eff2fe11eff2fe11eff2fe1", id="A32"),
        pytest.param("$t", "00f002f800f004f800bf00bf704700bf7047704770477047", id="T32"),
    ],
)
def test_a_part_behind_a_return_is_run_by_its_callers_alone(mark: str, code: str) -> None:
    callers = _callers(mark, code)
    last = callers.number(BASE + 2 * PIECE)
    assert _pieces(callers, callers.running({last})) == [2]
    (entry,) = callers.entered({last})
    assert entry == BASE + 2 * PIECE + (mark == "$t")
    assert _pieces(callers, callers.calling([entry])) == [0]
    assert _pieces(callers, callers.leading({last})) == [0, 2]


def test_an_exported_function_is_entered_from_outside() -> None:
    callers = _callers("$x", "c0035fd6c0035fd6")
    assert callers.calling(callers.entered({callers.number(BASE)})) == {callers.outside}
