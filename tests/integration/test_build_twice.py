"""`--twice`: real compiles made again, and what differs named by file and place in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration import cli
from tests.tiny import SCRIPT, write_recipe

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.docker

ONE = ("build", "--twice", "--only", "tiny-1")


def test_a_script_that_makes_the_same_bytes_passes(project: Path, tmp_path: Path) -> None:
    out, _ = cli.run(*ONE, cwd=project, state=tmp_path / "state")
    assert "made again: 1 works, 1 of them the same bytes" in out
    assert not list((tmp_path / "state" / "store" / "tmp").iterdir())


@pytest.mark.parametrize(
    ("leak", "words"),
    [
        ("made in $PWD", "'made in /work' and 'made in /again/elsewhere'"),
        ("jobs: $JOBS", "'jobs: 1' and 'jobs: 2'"),
    ],
)
def test_a_folder_or_a_number_of_jobs_that_gets_into_a_library_is_found(
    project: Path, tmp_path: Path, leak: str, words: str
) -> None:
    leaking = f"""echo "const char *made = \\"{leak}\\";" > made.c\n""" + SCRIPT
    write_recipe(project, "tiny", leaking.replace("{{ source.src }}/tiny.c", "made.c"))
    out, err = cli.run(*ONE, "--jobs", "1", cwd=project, state=tmp_path / "state", code=4)
    table = " ".join(out.split())
    assert "lib/libtiny.so.1: section .rodata, byte" in table
    assert words in table
    assert "made again, not the same: build:tiny[answer=1]@armv7hf-bookworm" in err
    document = cli.document(*ONE, "--jobs", "1", cwd=project, state=tmp_path / "state", code=4)
    assert document["reproduced"][0]["differing"] == ["lib/libtiny.so.1"]
