"""What is copied out of an image: all that is there, or an error."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from buildmatrix.images import COPY

if TYPE_CHECKING:
    from pathlib import Path


def copied(root: Path, *files: Path, limit: str = "unlimited") -> int:
    """The script of a container, with its folder for what is handed over at another place."""
    script = COPY.replace("/export", str(root))
    argv = ["sh", "-c", f"ulimit -f {limit}\n{script}", "sh", *map(str, files)]
    return subprocess.run(argv, capture_output=True, check=False).returncode


def test_links_are_followed_and_what_is_not_there_is_left_out(tmp_path: Path) -> None:
    real, link = tmp_path / "lib" / "libx.so.1.2", tmp_path / "lib" / "libx.so.1"
    real.parent.mkdir()
    real.write_bytes(b"x")
    link.symlink_to(real.name)
    assert copied(tmp_path / "out", link, tmp_path / "none") == 0
    assert copied(tmp_path / "out", tmp_path / "none") == 0
    made = tmp_path / "out" / str(link).lstrip("/")
    assert made.read_bytes() == b"x"
    assert not made.is_symlink()


def test_a_library_that_was_cut_off_is_an_error_whatever_comes_after_it(tmp_path: Path) -> None:
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(bytes(1 << 20))
    small.write_bytes(b"x")
    assert copied(tmp_path / "out", large, small, limit="8") != 0
