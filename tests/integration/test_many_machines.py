"""Real stacks compiled by Dask's workers, one of which dies at work: the bytes are those of here.

tests/contract/test_executors.py has what else there is to say of workers, on a library of one
function.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from buildmatrix.store import Store
from tests import rounds
from tests.boards import STATE
from tests.daskworkers import dask
from tests.integration import cli
from tests.integration.builds import wait_for

if TYPE_CHECKING:
    from tests.daskworkers import Dask

pytestmark = [pytest.mark.docker, pytest.mark.built(rounds.ALL), pytest.mark.nightly]

ROOT = Path(__file__).parent.parent.parent
# What compiles in seconds, and what scripts/demo builds. Of each a work that takes long enough to
# die in.
STACKS = {
    "small": (
        ("nnpack-deps", "nnpack-torch-1.9.0", "onnxruntime-wheel-arm64"),
        "build:nnpack-deps@armv7hf-bookworm",
    ),
    "demo": (
        ("caffe-openblas-0.3.21", "caffe-openblas-0.3.34", "caffe-openblas-0.3.34-neon"),
        "build:openblas[max_threads=4,neon=true,openblas=0.3.34]@armv7hf-bookworm",
    ),
}


@pytest.mark.parametrize("stacks", STACKS)
def test_a_worker_is_killed_in_the_middle_and_the_bytes_are_those_of_here(
    stacks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells, work = STACKS[stacks]
    only = [word for cell in cells for word in ("--only", cell)]
    cli.run("build", *only, cwd=ROOT, state=STATE)
    here = digests(STATE)
    monkeypatch.setenv("BUILDMATRIX_SHARED", str(tmp_path / "shared"))
    monkeypatch.setenv("BUILDMATRIX_SHARED_IMAGES", "0")  # one engine has them for all
    state = tmp_path / "state"
    with dask(tmp_path) as running:
        for name in ("w1", "w2"):
            running.start(name)
        running.joined("w1", "w2")
        argv = ("build", "--executor", running.executor, *only, "--json")
        with cli.start(*argv, cwd=ROOT, state=state) as process:
            wait_for(lambda: has(running, work) or process.poll() is not None, "it to be begun")
            killed = has(running, work)
            assert killed, process.communicate()
            running.workers[killed].kill()
            running.workers[killed].wait(60)
            _, err = process.communicate(timeout=3600)
        assert process.returncode == 0, err
        assert "is lost: what it made is begun again elsewhere" in err
        assert digests(state).items() <= here.items()
        made = Store(state / "store")
        for wanted in (work, *(f"bundle:{cell}" for cell in cells)):
            assert made.latest(wanted) is not None, wanted
        # Started anew, as a nanny does, it ends what the dead one left.
        running.start(killed)
        wait_for(lambda: not running.containers(), "all containers to end")


def has(running: Dask, work: str) -> str:
    """The worker in whose container this work is made, or nothing."""
    return next((name for one, name in running.at_work() if one == work), "")


def digests(state: Path) -> dict[str, Any]:
    """Of every entry of the store, its files with their hashes."""
    return {entry.key: entry.files for entry in Store(state / "store").entries()}
