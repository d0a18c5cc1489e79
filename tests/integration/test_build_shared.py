"""A store that machines share: a second machine with nothing compiles nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration import cli

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.docker


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a shared store, as every command of the test finds it."""
    monkeypatch.setenv("BUILDMATRIX_SHARED", str(tmp_path / "shared"))
    monkeypatch.setenv("BUILDMATRIX_SHARED_IMAGES", "0")  # a gigabyte to pack
    return tmp_path / "shared"


def test_a_second_machine_gets_what_the_first_made(
    project: Path, tmp_path: Path, shared: Path
) -> None:
    first, second = tmp_path / "state", tmp_path / "second"
    _, err = cli.run("build", cwd=project, state=first)
    assert "build:tiny" in err
    assert not second.exists(), "what its image is, it learns from there too"
    out, err = cli.run("build", "--frozen", cwd=project, state=second)
    assert "tiny-1  stored" in out
    assert "build:tiny" not in err
    out = str(tmp_path / "out")
    cli.run("get", "tiny-1", "--out", out, "--papers", cwd=project, state=second)
    words, _ = cli.run("audit", "--verify", out, cwd=project, state=second)
    assert "each as the statement says" in words
    made = (tmp_path / "out" / "lib" / "libtiny.so.1").read_bytes()
    assert made.startswith(b"\x7fELF")
    for path in shared.glob("objects/*/*"):
        path.write_bytes(b"spoilt")
    third = tmp_path / "third"
    _, err = cli.run("build", cwd=project, state=third)
    assert "is not what its name says: passed over" in err
    cli.run("get", "tiny-1", "--out", str(tmp_path / "again"), cwd=project, state=third)
    assert (tmp_path / "again" / "lib" / "libtiny.so.1").read_bytes() == made
