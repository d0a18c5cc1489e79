"""Where two files differ first: named by what the file is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix.elf.difference import first_difference
from tests import elf_factory

TEXT, OTHER = bytes(range(64)), bytes(range(63)) + b"\xff"


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        (b"a\nmade at 3\n", b"a\nmade at 4\n", "line 2: 'made at 3' and 'made at 4'"),
        (b"a\n", b"a\nb\n", "nothing, where the other has line 2"),
        (b"a\n", b"a", "2 bytes and 1, alike as far as the shorter goes"),
        (b"\0" + TEXT, b"\0" + OTHER, "byte 64:"),
        (elf_factory.ar({"a.o": TEXT}), elf_factory.ar({"a.o": OTHER}), "member a.o, byte 63:"),
        (
            elf_factory.ar({"a.o": TEXT}),
            elf_factory.ar({"b.o": TEXT}),
            "member a.o, where the other has member b.o",
        ),
    ],
)
def test_the_part_that_differs_is_named(one: bytes, other: bytes, words: str) -> None:
    assert first_difference(one, other).startswith(words)


def test_of_elf_the_section_is_named() -> None:
    one, other = (
        elf_factory.make(text=(("$a", code),))
        for code in (elf_factory.A32_VMLA_Q, elf_factory.A32_VFMA_Q)
    )
    assert first_difference(one, other).startswith("section .text, byte 1: ")


@given(one=st.binary(max_size=200), other=st.binary(max_size=200))
def test_files_differ_in_words_if_and_only_if_their_bytes_do(one: bytes, other: bytes) -> None:
    for head in (b"", b"!<arch>\n", b"\x7fELF"):
        assert bool(first_difference(head + one, head + other)) == (one != other)
