"""Which functions cannot but end in a trap, told from their code. Bytes are those of GNU as 2.40.

The entry point of a program, and a function behind it where one is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from buildmatrix import elf
from buildmatrix.elf.hits import needed_as
from tests.elf_factory import make

if TYPE_CHECKING:
    from pathlib import Path

BRK, RETURN, CALL_ON = "207d20d4", "c0035fd6", "02000094"  # brk #1000; ret; bl .+8
BRANCH = "40000054"  # b.eq .+8
KERNEL = "010000d4"  # svc #0
POINTER, AROUND = "60003fd6", "ffffff17"  # blr x3; b .-4


def _stops(path: Path, mark: str, code: str) -> tuple[str, ...]:
    machine = {"$x": "EM_AARCH64"}.get(mark, "EM_ARM")
    path.write_bytes(make(machine=machine, elf_type="ET_EXEC", text=[(mark, bytes.fromhex(code))]))
    return elf.read(path, "bin/x").linking.stops


@pytest.mark.parametrize(
    ("mark", "code"),
    [
        ("$x", BRK),
        ("$x", "00000000"),  # udf #0
        ("$x", "200040d4"),  # hlt #1
        ("$x", BRANCH + BRK + BRK),  # both ways
        ("$x", CALL_ON + RETURN + BRK),  # it calls the last one, which stops
        ("$a", "f000f0e7"),  # udf #0
        ("$a", "700020e1"),  # bkpt #0
    ],
)
def test_what_ends_in_a_trap_on_every_way(tmp_path: Path, mark: str, code: str) -> None:
    assert _stops(tmp_path / "x", mark, code) == ("_start, 0x10000",)


@pytest.mark.parametrize(
    ("mark", "code"),
    [
        ("$x", RETURN + BRK),
        ("$x", BRANCH + RETURN + BRK),
        ("$x", KERNEL + BRK),  # which may have ended the process
        ("$x", POINTER + BRK),
        ("$x", AROUND + BRK),
        ("$a", "7000200e"),  # bkpt under a condition
    ],
)
def test_what_may_end_otherwise(tmp_path: Path, mark: str, code: str) -> None:
    assert _stops(tmp_path / "x", mark, code) == ()


def test_a_word_needs_what_it_is_in_the_set_in_which_it_is_run() -> None:
    """Debian's pcsxr: a move of Thumb's in a stripped program that reads as ARM's crc32h."""
    assert needed_as(0x0108F243, "crc32", thumb=False)
    assert not needed_as(0xF2430108, "crc32", thumb=True)
    assert needed_as(0xF2430108, "maybe", thumb=True), "a name, and no feature"
