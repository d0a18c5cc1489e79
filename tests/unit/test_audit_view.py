"""An audit on a terminal: what it was judged against, every figure at every width, causes once."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from buildmatrix.cli.audit_view import view
from buildmatrix.pipeline.auditing import audit_path
from buildmatrix.pipeline.baselines import named
from tests import elf_factory as factory
from tests.elf_factory import NEON, make

if TYPE_CHECKING:
    from pathlib import Path

WIDTHS = [60, 80, 100, 160]
LONG = "a_folder_of_some_package/with_a_name/that_is_long/libkernels-5f3c1e0a.so.2.14.0"


def shown(document: dict[str, Any], width: int) -> str:
    output = io.StringIO()
    Console(file=output, width=width, highlight=False).print(view(document))
    return output.getvalue()


def tree(folder: Path) -> Path:
    """Two 32-bit libraries that need a newer glibc and libstdc++, one with a long path."""
    image = make(
        attributes=NEON,
        text=[("$a", factory.A32_VMLA_Q * 70 + factory.A32_RETURN)],
        needed=["libc.so.6", "libstdc++.so.6"],
        versions={"libc.so.6": ["GLIBC_2.38"], "libstdc++.so.6": ["GLIBCXX_3.4.29"]},
    )
    for name in (LONG, "lib/libopenblas.so.0"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(image)
    return folder


@pytest.mark.parametrize("width", WIDTHS)
def test_every_figure_is_there_at_every_width(tmp_path: Path, width: int) -> None:
    text = shown(audit_path(tree(tmp_path), named("pi4-32", tmp_path)), width)
    assert max(map(len, text.splitlines())) <= width
    for figure in ("hard", "v7", "VFPv3", "NEONv1", "70 f32", "2.38", "3.4.29"):
        assert text.count(figure) >= 2, figure
    assert "…" not in text
    assert LONG in text.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("width", WIDTHS)
def test_what_it_was_judged_against_is_said(tmp_path: Path, width: int) -> None:
    words = " ".join(shown(audit_path(tree(tmp_path), named("pi5-32", tmp_path)), width).split())
    assert "judged against pi5-32@bookworm: Raspberry Pi 5, 32-bit programs" in words
    assert "glibc 2.36, libstdc++ GLIBCXX_3.4.30, pages of 16 KiB" in words
    words = " ".join(shown(audit_path(tree(tmp_path / "x")), width).split())
    assert "judged against pi3-32: Raspberry Pi 3, 32-bit programs, by default" in words
    assert "no glibc floor: name a board with --target or --host" in words


@pytest.mark.slow
def test_a_cause_is_told_once_with_its_files(tmp_path: Path) -> None:
    """As 53 libraries of one wheel with the same rpath, which filled 273 lines."""
    for number in range(53):
        (tmp_path / f"lib{number:02}.so").write_bytes(make(attributes=NEON, rpath="../x"))
    text = shown(audit_path(tmp_path), 100)
    findings = text.split("\n\n")[-2]
    assert findings.count("BM151") == 1
    assert findings.count("Use an rpath that begins with $ORIGIN") == 1
    assert all(f"lib{number:02}.so" in findings for number in range(53))
    assert len(findings.splitlines()) < 12
    assert text.rstrip().endswith("53 warnings in 53 files")


def test_the_document_says_what_it_was_judged_against(tmp_path: Path) -> None:
    document = json.loads(json.dumps(audit_path(tree(tmp_path), named("pi4", tmp_path))))
    assert document["target"]["name"] == "pi4-32@bookworm"
    assert document["target"]["glibc"] == "2.36"
    assert document["target"]["limits_off"] == []
    assert {f["code"] for f in document["findings"]} == {"BM130"}
    default = audit_path(tree(tmp_path / "x"))
    assert default["target"]["glibc"] is None
    assert default["findings"] == []


def test_mixed_trees_say_what_most_files_are_for(tmp_path: Path) -> None:
    (tmp_path / "a.so").write_bytes(make(machine="EM_AARCH64"))
    (tmp_path / "b.so").write_bytes(make(machine="EM_AARCH64"))
    (tmp_path / "c.so").write_bytes(make(attributes=NEON))
    document = audit_path(tmp_path)
    assert document["target"]["summary"].endswith("by default, as 2 of 3 files are")
    assert [(f["code"], f["file"]) for f in document["findings"]] == [("BM101", "c.so")]
    assert "ARM" in shown(document, 80)
