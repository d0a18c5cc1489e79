"""Other people's words cannot write to the terminal in its own language."""

from __future__ import annotations

import io
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from buildmatrix.printable import escape, printable


@given(st.text())
def test_nothing_that_a_terminal_obeys_comes_through(text: str) -> None:
    controls = {letter for letter in printable(text) if unicodedata.category(letter) == "Cc"}
    assert controls <= {"\t", "\n"}


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn"])))
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_markup_in_a_boards_words_is_shown_and_not_obeyed() -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(escape("[red]up[/] \x1b[2J"))
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == "[red]up[/] <1b>[2J\n"
