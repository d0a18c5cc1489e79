"""A file system's refusals in the words of whoever has to mend them."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from buildmatrix.disk import explained

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "is full\nnext: free space there"),
        (errno.EDQUOT, "has used up its quota\nnext: free space there"),
        (errno.EROFS, "mounted read-only\nnext: name a folder"),
        (errno.EACCES, "permission denied: it is "),
        (errno.ENOTDIR, "is in the way"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_each_refusal_says_where_what_and_what_next(
    number: int, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "state"
    path.touch()
    text = str(explained(OSError(number, os.strerror(number), str(path))))
    assert words in text
    assert str(tmp_path) in text
    assert "next: " in text


def test_the_owner_is_named_even_of_a_file_in_a_folder_that_is_closed(tmp_path: Path) -> None:
    text = str(explained(PermissionError(errno.EACCES, "", str(tmp_path / "not" / "there"))))
    assert f"{tmp_path} is " in text


def test_an_error_without_a_file_still_makes_a_sentence() -> None:
    assert "full" in str(explained(OSError(errno.ENOSPC, "No space left on device")))
    text = str(explained(OSError("500 Server Error: no space for a shim")))
    assert text == "500 Server Error: no space for a shim\nnext: `inv doctor` looks at this machine"
