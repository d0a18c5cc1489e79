"""Toolchains as written: what decides an image, and what may not stand there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from buildmatrix import toolchain
from buildmatrix.errors import InputError
from tests.unit import projects

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.toolchain import Toolchain

ZIG = """\
sources:
  - name: zig
    alternates: [{kind: %s, %s}]
"""
WHEEL = f'package: ziglang, file: zig.whl, sha256: "{"a" * 64}"'


def loaded(root: Path, more: str = "") -> Toolchain:
    """The toolchain of the small project, with more written at its end."""
    file = projects.write(root) / "toolchains" / "tc" / "toolchain.yaml"
    file.write_text(file.read_text() + more)
    return toolchain.load(file.parent)


def test_a_source_decides_what_an_image_is_and_where_it_comes_from_does_not(tmp_path: Path) -> None:
    plain = loaded(tmp_path / "plain")
    assert "sources" not in plain.definition, "keys of toolchains without one are as ever"
    wheel = loaded(tmp_path / "wheel", ZIG % ("pypi", WHEEL))
    debian = loaded(tmp_path / "debian", ZIG % ("debian", WHEEL))
    other = loaded(tmp_path / "other", ZIG % ("pypi", WHEEL.replace("a" * 64, "b" * 64)))
    assert wheel.definition["sources"] == {"zig": "a" * 64}
    assert wheel.definition_digest == debian.definition_digest
    assert len({one.definition_digest for one in (plain, wheel, other)}) == 3


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (ZIG % ("git", 'url: "https://zig.example/zig", branch: main'), "only a file with a hash"),
        (ZIG % ("folder", "path: zig"), "only a file with a hash"),
        (f"{ZIG % ('pypi', WHEEL)}    when: {{neon: true}}\n", "has no options for 'when'"),
    ],
)
def test_what_is_not_one_file_for_everybody_is_refused_at_its_place(
    tmp_path: Path, more: str, words: str
) -> None:
    with pytest.raises(InputError) as caught:
        loaded(tmp_path, more)
    assert words in str(caught.value)
    assert "toolchain.yaml:" in str(caught.value)
    assert "zig" in str(caught.value)
