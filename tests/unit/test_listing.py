"""A listing on terminals of any width: every fact and every word of it is there, in one piece."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from buildmatrix.cli import building_view, verdicts_view
from buildmatrix.cli.listing import Listing

if TYPE_CHECKING:
    from buildmatrix.documents.building import EndedCell
    from buildmatrix.documents.verdicts import Agree

WORD = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="[\\"), min_size=1
)


def shown(listing: object, width: int) -> str:
    out = io.StringIO()
    Console(width=width, file=out, highlight=False).print(listing, crop=False)
    return out.getvalue()


@given(
    st.lists(
        st.tuples(WORD, WORD, st.lists(WORD, max_size=8)),
        min_size=1,
        max_size=4,
    ),
    st.integers(60, 160),
)
def test_no_fact_and_no_word_is_cut(rows: list[tuple[str, str, list[str]]], width: int) -> None:
    listing = Listing(("name", "size"), "what it is", right=frozenset({1}))
    for name, size, words in rows:
        listing.add(name, size, words=" ".join(words))
    pieces = shown(listing, width).split()
    for name, size, words in rows:
        assert {name, size, *words} <= set(pieces)


@pytest.mark.parametrize("width", [60, 100])
def test_a_name_with_colons_is_no_picture(width: int) -> None:
    listing = Listing(("cell",), "")
    listing.add(":v:", words="of host:smile:22")
    assert {":v:", "host:smile:22"} <= set(shown(listing, width).split())


@pytest.mark.parametrize(("width", "lines"), [(60, 4), (100, 2)])
def test_words_stand_beside_a_row_where_there_is_room(width: int, lines: int) -> None:
    listing = Listing(("cell", "stack"), "what stands in the way")
    listing.add("caffe-openblas-0.3.34-neon", "caffe", words="the image has to be made first")
    assert len(shown(listing, width).splitlines()) == lines


def test_a_path_that_is_longer_than_the_terminal_can_be_copied() -> None:
    path = "state/logs/build/dot[neon=true]@armv7hf-bookworm" + "/deeper" * 8 + ".log"
    listing = Listing(("cell", ""), "")
    listing.add("dot-neon-true", "FAILED", words=f"exit 1; see {path.replace('[', chr(92) + '[')}")
    assert f"    {path}\n" in shown(listing, 60)


def test_a_reason_that_many_cells_have_stands_once() -> None:
    reason = "to be built: the image of tc has to be made first"
    cell = {"stack": "dot", "toolchain": "tc", "options": {}, "reason": reason}
    rung = {"rung": "rendered", "command": ""}
    rows = [{**cell, "id": f"dot-{number}", "shown": rung} for number in range(5)]
    document = {"version": 1, "cells": rows, "dropped": []}
    text = shown(building_view.cells(document), 100)  # type: ignore[arg-type]
    assert text.count(reason) == 1
    assert text.count("(1)") == 6
    assert "rendered: its scripts could be filled in" in text


def test_the_words_of_a_failed_cell_may_be_several_lines() -> None:
    """A tag of rich's begins in the first of them and ends in the last."""
    words = "the [script] ended with status 3\nnext: read x.log"
    cell = ended(words, brief=words)
    text = shown(building_view.build({"version": 1, "cells": [cell], "actions": []}), 60)
    for line in words.splitlines():
        assert line in text


def test_the_end_of_a_log_is_told_once_and_not_again_beside_the_cell() -> None:
    """make's usage text, which filled the table and was cut in it, was told as each one failed."""
    whole = "ended with status 2\n  -t, --touch\nnext: read x.log"
    cell = ended(whole, brief="ended with status 2")
    text = shown(building_view.build({"version": 1, "cells": [cell], "actions": []}), 60)
    assert ("ended with status 2" in text, "--touch" in text) == (True, False)


def test_an_agreement_breaks_no_name_at_sixty_columns() -> None:
    """It was 'mxnet-wheel-ho' over 'st-onednn', in the middle of the row."""
    row = (
        "caffe-openblas-0.3.34-neon",
        "float32",
        "3.1e-06 at 279",
        "5.0e-06 at 500, mxnet-onednn",
    )
    document: Agree = {
        "version": 1,
        "model": "face-cnn",
        "outputs": 848,
        "answerer": "reference",
        "cells": [],
        "pairs": [],
    }
    told = shown(verdicts_view.agreement(document, [row]), 60)
    names = {"caffe-openblas-0.3.34-neon", "3.1e-06", "5.0e-06", "mxnet-onednn"}
    assert names <= set(told.split())
    assert "to the reference" in shown(verdicts_view.agreement(document, [row]), 120)
    document["answerer"] = "LiteRT"
    told = shown(verdicts_view.agreement(document, [row]), 120)
    assert ("to LiteRT's answer" in told, "reference" in told) == (True, False)


def ended(cause: str, *, brief: str) -> EndedCell:
    return {"id": "tiny-1", "state": "failed", "message": cause, "cause": cause, "brief": brief}


def test_a_way_out_names_the_command_by_which_the_program_was_called() -> None:
    row = {"source": "blas", "identity": "0" * 40, "alternates": ["folder blas"], "cells": ["one"]}
    words = {"state": "out of reach", "reason": "see `inv cells`", "way_out": "run `inv sources`"}
    document = {"version": 1, "sources": [{**row, **words, "file": "", "signature": None}]}
    text = shown(building_view.sources(document), 100)  # type: ignore[arg-type]
    assert ("`buildmatrix cells`" in text, "`buildmatrix sources`" in text) == (True, True)
