"""Small files that outlive a run: a flipped bit anywhere is a record that is not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix.records import read_record, sealed, unsealed, write_document, write_record

if TYPE_CHECKING:
    from pathlib import Path

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_what_is_sealed_comes_out_and_the_file_is_plain_json(content: object) -> None:
    data = sealed(content)
    assert unsealed(data) == content == json.loads(data)["content"]


@given(JSON, st.data())
def test_no_flipped_bit_is_believed(content: object, data: st.DataObject) -> None:
    image = bytearray(sealed(content))
    bit = data.draw(st.integers(0, len(image) * 8 - 1))
    image[bit // 8] ^= 1 << bit % 8
    assert unsealed(bytes(image)) in (None, content)


def test_a_record_of_an_older_version_is_read(tmp_path: Path) -> None:
    (tmp_path / "seconds.json").write_text('{"build:x": 12.5}')
    assert read_record(tmp_path / "seconds.json") == {"build:x": 12.5}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"3", b"[" * 5000, b'{"content": 1}'])
def test_a_record_that_is_none_counts_as_not_there(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "latest.json").write_bytes(content)
    assert read_record(tmp_path / "latest.json") == {}
    write_record(tmp_path / "latest.json", {"a": 1})
    assert read_record(tmp_path / "latest.json") == {"a": 1}


def test_a_folder_in_the_place_of_a_record_counts_as_none_and_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "latest.json").mkdir()
    assert read_record(tmp_path / "latest.json") == {}
    write_record(tmp_path / "latest.json", {"a": 1})
    assert read_record(tmp_path / "latest.json") == {"a": 1}


def test_a_document_for_others_has_no_seal(tmp_path: Path) -> None:
    write_document(tmp_path / "night.json", {"version": 1})
    assert json.loads((tmp_path / "night.json").read_text()) == {"version": 1}
    assert read_record(tmp_path / "night.json") == {"version": 1}
