"""Which instructions of a 32-bit file nothing leads to, on an exported function and a hidden one.

The hidden one, `newer`, begins right behind the code below and has vrintm, which ARMv8 adds. Bytes
are those of GNU as 2.40.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from buildmatrix import elf
from tests.elf_factory import make

if TYPE_CHECKING:
    from pathlib import Path

NEWER = {"$a": "400abbfe1eff2fe1", "$t": "bbfe400a7047"}  # vrintm.f32 s0, s0; bx lr
ENTER, LEAVE = "10402de9", "1080bde8"  # push {r4, lr}; pop {r4, pc}


def _unreached(path: Path, mark: str, code: str) -> bool:
    image = make(text=[(mark, bytes.fromhex(code + NEWER[mark]))], exports=["value"])
    if mark == "$t":
        image = _with_thumbs_bit(image)
    path.write_bytes(image)
    uses = {use.feature: use for use in elf.read(path, "lib/x").features or ()}
    return uses["armv8"].unreached


def _with_thumbs_bit(image: bytes) -> bytes:
    """The exported function's address in .dynsym made odd; its symbol is the one of kind 0x12."""
    row = (0x10000).to_bytes(4, "little") + bytes(4) + b"\x12\0"
    assert image.count(row) == 1
    return image.replace(row, b"\x01" + row[1:])


@pytest.mark.parametrize(
    ("mark", "code"),
    [
        ("$a", "1eff2fe1"),  # bx lr
        ("$a", "0ef0a0e1"),  # mov pc, lr
        ("$a", "1eff2fe1ffffffea"),  # bx lr; and behind it a jump that nothing comes to
        ("$t", "704700bf"),  # bx lr; nop
    ],
)
def test_what_nothing_leads_to_is_unreached(tmp_path: Path, mark: str, code: str) -> None:
    assert _unreached(tmp_path / "x", mark, code)


@pytest.mark.parametrize(
    ("mark", "code"),
    [
        pytest.param("$a", "000050e30000000a1eff2fe1", id="beq newer"),
        pytest.param("$a", f"{ENTER}000050e30000001b{LEAVE}", id="blne newer"),
        pytest.param("$a", f"{ENTER}04309fe533ff2fe1{LEAVE}14000100", id="an address, blx r3"),
        pytest.param(
            "$a", f"{ENTER}08309fe503308fe033ff2fe1{LEAVE}08000000", id="an offset, add r3, pc, r3"
        ),
        pytest.param("$a", f"{ENTER}143000e3013040e333ff2fe1{LEAVE}", id="movw, movt"),
        pytest.param("$a", "010050e300f18f901eff2fe100f020e300f020e3ffffffea", id="addls pc"),
        pytest.param("$t", "002801d0704700bf", id="beq.n newer"),
        pytest.param("$t", "10b5002818bf00f002f810bd00bf", id="it ne, bl newer"),
        pytest.param("$t", "10b5024b7b44984710bd00bf09000000", id="add r3, pc"),
        pytest.param("$t", "10b5014b984710bd0d000100", id="a Thumb address"),
        pytest.param("$t", "10b540f20f03c0f20103984710bd", id="Thumb's movw, movt"),
        pytest.param(
            "$t",
            "10b540f20503c0f200037b44984710bd00bf",
            id="movw, movt, add r3, pc",
        ),
        pytest.param("$t", "012802d8dfe800f00103704700bf", id="tbb"),
        pytest.param("$t", "02a151f820201144084700bf05000000", id="a table of offsets, bx r1"),
    ],
)
def test_what_anything_may_lead_to_is_reached(tmp_path: Path, mark: str, code: str) -> None:
    assert not _unreached(tmp_path / "x", mark, code)
