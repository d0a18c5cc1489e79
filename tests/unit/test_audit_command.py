"""`buildmatrix audit` as people type it: what it takes, what it says, how it exits."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.documents import valid
from tests.elf_factory import NEON, make
from tests.unit.commands import run

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

TOO_NEW = make(attributes=NEON, needed=["libc.so.6"], versions={"libc.so.6": ["GLIBC_2.38"]})


def audit(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return run("audit", *arguments, cwd=cwd, **environment)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / os.fsdecode(b"lib\xff.so")).write_bytes(TOO_NEW)
    return tmp_path


def test_without_a_board_nothing_is_too_new_and_that_is_said(tree: Path) -> None:
    done = audit("dist", cwd=tree, COLUMNS="60")
    assert done.returncode == 0, done.stderr
    assert "no glibc floor: name a board with --target or --host" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 60


def test_a_named_board_refuses_it_in_json_whatever_the_file_is_called(tree: Path) -> None:
    done = audit("dist", "--target", "pi4", "--json", cwd=tree)
    assert done.returncode == 5
    document = valid("audit", json.loads(done.stdout.encode("utf-8", "strict")))
    assert document["target"]["name"] == "pi4-32@bookworm"
    assert [f["code"] for f in document["findings"]] == ["BM130"]
    assert audit("dist", "--target", "pi4@trixie", cwd=tree).returncode == 0


def test_sarif_goes_to_stdout(tree: Path) -> None:
    done = audit("dist", "--target", "pi4", "--sarif", cwd=tree)
    assert done.returncode == 5
    (result,) = json.loads(done.stdout)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].startswith("dist/")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dist", "--target", "pi6"], "neither a board kind nor a toolchain"),
        (["dist", "--target", "pi4@buster"], "no Raspberry Pi OS is called 'buster'"),
        (["dist", "--target", "pi4", "--host", "pi"], "not both"),
    ],
)
def test_a_board_that_is_none_is_a_fault_of_usage(
    tree: Path, arguments: list[str], words: str
) -> None:
    done = audit(*arguments, cwd=tree)
    assert done.returncode == 2
    assert words in done.stderr
