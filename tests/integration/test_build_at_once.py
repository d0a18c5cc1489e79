"""Works at once in real containers: beside each other, the same bytes, and nothing left behind."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration import cli
from tests.integration.builds import containers, looked_at, wait_for
from tests.tiny import SCRIPT, write_recipe

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.docker

BUILDS = [f"build:tiny[answer={number}]@armv7hf-bookworm" for number in (1, 2)]
# Each says that it is there and ends when the other has: one after the other, none ends.
TOGETHER = """\
touch /ccache/{{ option.answer }}
until [ -e /ccache/{{ 3 - option.answer }} ]; do sleep 0.1; done
"""
FOR_EVER = "touch /ccache/{{ option.answer }}\nsleep 3600\n"


def both_run(state: Path) -> bool:
    cache = state / "ccache" / "tiny@armv7hf-bookworm"
    return (cache / "1").exists() and (cache / "2").exists()


def digests(state: Path) -> dict[str, Any]:
    """Of every entry of the store, its files with their hashes."""
    from buildmatrix.store import Store

    return {entry.key: entry.files for entry in Store(state / "store").entries()}


def test_two_compiles_run_at_once(project: Path, tmp_path: Path) -> None:
    write_recipe(project, "tiny", TOGETHER + SCRIPT)
    cli.run("build", "--jobs", "2", cwd=project, state=tmp_path / "state")


@pytest.mark.nightly
def test_at_once_makes_the_bytes_of_one_after_the_other(project: Path, tmp_path: Path) -> None:
    looked_at(tmp_path / "serial")
    cli.run("build", "--works", "1", "--jobs", "1", cwd=project, state=tmp_path / "serial")
    cli.run("build", "--jobs", "3", cwd=project, state=tmp_path / "state")
    assert digests(tmp_path / "state") == digests(tmp_path / "serial")


def test_interrupted_both_containers_end_and_nothing_is_left(project: Path, tmp_path: Path) -> None:
    write_recipe(project, "tiny", FOR_EVER + SCRIPT)
    state = tmp_path / "state"
    with cli.start("build", "--jobs", "2", cwd=project, state=state) as process:
        wait_for(lambda: both_run(state), "both containers to run")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "interrupted; what was finished is kept" in err
    assert "FAILED" not in err
    assert "Traceback" not in err
    assert containers(state) == []
    assert list((state / "store" / "tmp").iterdir()) == []
    assert list((state / "store" / "failures").iterdir()) == []


@pytest.mark.nightly
def test_killed_with_two_at_work_the_next_build_makes_both(project: Path, tmp_path: Path) -> None:
    write_recipe(project, "tiny", "touch /ccache/{{ option.answer }}\nsleep 1\n" + SCRIPT)
    state = tmp_path / "state"
    with cli.start("build", "--jobs", "2", cwd=project, state=state) as process:
        wait_for(lambda: both_run(state), "both containers to run")
        process.kill()
    assert sorted(containers(state)) == BUILDS, "the engine goes on alone"
    ended = cli.document("build", "--jobs", "2", cwd=project, state=state)
    assert {
        row["id"]: row["state"] for row in ended["actions"] if row["id"] in BUILDS
    } == dict.fromkeys(BUILDS, "done")
    assert containers(state) == []
    assert list((state / "store" / "tmp").iterdir()) == []
