"""Two boards at once, and one that is dead."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import virtual
from tests import rounds
from tests.boards import STATE
from tests.integration import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.docker, pytest.mark.board, pytest.mark.built(rounds.FIRST)]

ROOT = Path(__file__).parent.parent.parent
CELL = "caffe-openblas-0.3.34-neon"
NAMES = ("fleet-a", "fleet-b")


@pytest.fixture(scope="module", autouse=True)
def _boards() -> Iterator[None]:
    cli.run("build", "--only", CELL, cwd=ROOT, state=STATE)
    for name in NAMES:
        cli.run("device", "up", "--name", name, "--kind", "pi3-counted", cwd=ROOT, state=STATE)
    yield
    for name in NAMES:
        cli.run("device", "down", "--name", name, cwd=ROOT, state=STATE)


def test_a_glob_means_all_of_them_side_by_side() -> None:
    found = cli.document("deploy", "--host", "fleet-*", "--only", CELL, cwd=ROOT, state=STATE)
    assert [board["device"] for board in found["boards"]] == list(NAMES)
    assert all(board["cells"][0]["state"] == "switched" for board in found["boards"])
    asked = ["--batches", "1", "--rounds", "1", "--passes", "1", "--warmup", "0", "--threads", "1"]
    rows = cli.document(
        "bench", "--host", "fleet-*", "--only", CELL, *asked, "--collect", cwd=ROOT, state=STATE
    )["rows"]
    assert {row["device"] for row in rows} == set(NAMES)
    counts = {row["instructions_per_image"] for row in rows}
    assert max(counts) / min(counts) - 1 < 1e-3, "the same bundle, the same work"


def test_a_dead_board_does_not_stop_the_other() -> None:
    dead = next(b.address for b in virtual.boards(STATE) if b.address.name == "fleet-b")
    os.kill(int(Path(dead.identity_file).with_name("pid").read_text()), signal.SIGKILL)
    address = f"pi@127.0.0.1:{dead.port}"
    out, err = cli.run(
        "deploy",
        "--host",
        "fleet-a",
        "--host",
        address,
        "--only",
        CELL,
        cwd=ROOT,
        state=STATE,
        code=6,
    )
    assert "fleet-a: 0 objects" in out
    assert "1 of 2 boards failed: 127.0.0.1" in err
    found = cli.document("device", "list", cwd=ROOT, state=STATE)["devices"]
    states = {board["name"]: board["state"] for board in found if board["name"] in NAMES}
    assert states == {"fleet-a": "idle", "fleet-b": "off"}
