"""The names of a symbol table are looked at a piece at a time, as if it were one text."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix.elf import texts
from buildmatrix.elf.tables import Image
from buildmatrix.elf.texts import Texts

NAMES = st.lists(st.sampled_from(("main", "domain", "$x", "", "a" * 40)), max_size=12)


class Unmapped(Image):
    """A file whose bytes nobody has to give back."""

    def __init__(self) -> None:
        pass

    def forget(self) -> None:
        """Nothing was mapped."""


def table(names: list[str]) -> tuple[bytes, Texts]:
    whole = b"".join(b"\0" + name.encode() for name in names)
    return whole, Texts(Unmapped(), memoryview(whole))


@given(NAMES, st.integers(1, 64))
def test_every_match_is_told_once_however_the_table_is_cut(names: list[str], size: int) -> None:
    whole, cut = table(names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "PIECE", size)
        for pattern in (re.compile(rb"main\0"), re.compile(rb"\0(?:main|\$x)(?=\0)")):
            assert [*cut.matches(pattern)] == [m.start() for m in pattern.finditer(whole + b"\0")]
            assert cut.has(pattern) == bool(pattern.search(whole + b"\0"))


@given(NAMES, st.integers(0, 600))
def test_a_name_ends_at_its_zero_byte_or_with_the_table(names: list[str], offset: int) -> None:
    whole, cut = table(names)
    assert cut.at(offset) == whole[offset:].partition(b"\0")[0].decode()


def test_a_long_name_is_whole() -> None:
    name = "_Z" + "N" * 5000
    assert table(["", name, "x"])[1].at(2) == name


def test_outside_the_table_there_is_no_letter() -> None:
    whole, cut = table(["$a", "b"])
    assert cut.letters(np.arange(len(whole) + 2)).tolist() == [*whole, 0, 0]
    assert table([])[1].letters(np.arange(2)).tolist() == [0, 0]


def test_names_that_begin_with_a_letter_are_told_by_their_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(texts, "ROWS", 2)
    _, cut = table(["$a", "b", "$d", "c"])
    assert cut.beginning("$", np.array([1, 4, 6, 9, 1], np.uint32)).tolist() == [0, 2, 4]
