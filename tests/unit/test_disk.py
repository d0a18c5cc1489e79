"""A file system's refusals in the words of whoever has to mend them."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import doctor
from buildmatrix.disk import explained

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "is full\nnext: free space there"),
        (errno.EDQUOT, "has used up its quota\nnext: free space there"),
        (errno.EROFS, "mounted read-only\nnext: name a folder"),
        (errno.EACCES, "permission denied: it is "),
        (errno.ENOTDIR, "is in the way"),
        (errno.EMFILE, "too many open files"),
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


def test_few_open_files_are_told_with_the_number_and_what_raises_it() -> None:
    """By whoever meets it: the file system, or the engine's client within errors of its own."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    for error in (
        OSError(errno.EMFILE, "Too many open files", "/a/file"),
        OSError(RuntimeError("Connection aborted.", OSError(errno.EMFILE, "Too many open files"))),
    ):
        text = str(explained(error))
        assert f"this program may have {limit}" in text
        assert "ulimit -n 1024" in text


def test_an_error_without_a_file_still_makes_a_sentence() -> None:
    assert "a file system is full" in str(explained(OSError(errno.ENOSPC, "No space left")))
    text = str(explained(OSError("500 Server Error: no space for a shim")))
    assert text == "500 Server Error: no space for a shim\nnext: `inv doctor` looks at this machine"


def test_a_full_disk_is_named_though_the_system_names_no_file(tmp_path: Path) -> None:
    """A write that finds no room is an error without a file."""
    with pytest.raises(OSError, match="No space") as caught:
        Path("/dev/full").write_text("x")
    assert caught.value.filename is None
    roomy, tight = tmp_path / "not" / "yet", Path("/proc")  # which has no room at all
    text = str(explained(caught.value, [roomy, tight]))
    assert "/proc: the file system /proc is full" in text
    assert f"{tmp_path}: the file system " in str(explained(caught.value, [roomy]))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may go through; pytest's are for one."""
    path = Path(tempfile.mkdtemp(prefix="buildmatrix-open-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def of_the_state_folder(state: Path) -> doctor.Check:
    """What doctor says of it to nobody."""
    none = {"DOCKER_HOST": "tcp://127.0.0.1:9"}
    doctor.checks(state, engine_place=none, mirror=str)  # what it imports may be closed to nobody
    os.seteuid(65534)
    try:
        found = doctor.checks(state, engine_place=none, mirror=str)
    finally:
        os.seteuid(0)
    return next(check for check in found if check.name == "state folder")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a moment")
@pytest.mark.parametrize("name", ["seconds.json", "store/entries", "ccache"])
def test_doctor_names_what_another_user_left_in_a_state_folder(
    open_folder: Path, name: str
) -> None:
    state = open_folder / "state"
    for folder in ("store/entries", "ccache"):
        (state / folder).mkdir(parents=True)
    (state / "seconds.json").touch()
    for path in (state, *state.rglob("*")):
        os.chown(path, 65534, 65534)
    assert of_the_state_folder(state).ok
    os.chown(state / name, 0, 0)
    (state / name).chmod(0o700 if (state / name).is_dir() else 0o600)
    found = of_the_state_folder(state)
    assert found.ok is False
    assert f"{state / name}: permission denied: it is root's" in found.found
    assert "chown -R" in found.hint
