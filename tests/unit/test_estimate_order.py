"""Other stacks than ncnn: an order among cells that were profiled, and no milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from buildmatrix.errors import InputError
from buildmatrix.estimate import board, order, shown
from buildmatrix.estimate.order import Candidate
from buildmatrix.nouns import Cell
from buildmatrix.profile import kept
from tests.documents import valid
from tests.unit.commands import run
from tests.unit.test_estimate import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PI3 = shown.setting("pi3", 4)


def _profile(cell: str, millions: float, **changes: Any) -> Any:
    return {
        "version": 1,
        "cell": cell,
        "bundle": "b" * 64,
        "model": "face-cnn",
        "board": "pi3-counted",
        "batch": 1,
        "passes": 4,
        "samples": None,
        "instructions": millions * 1e6,
        "counted_by_harness": millions * 1e6,
        "quad_multiply_adds_needed": 12.3e6,
        "works": {"quad multiply-adds": millions * 0.4e6, "loads": 1e6},
        "libraries": [],
        "functions": [],
        **changes,
    }


def _candidate(
    name: str, millions: float | None, machine: str = "EM_ARM", **more: Any
) -> Candidate:
    profile = None if millions is None else _profile(name, millions, **more)
    return Candidate(Cell(name, "face-cnn", "caffe", "t", ()), profile, machine)


def test_cells_are_ordered_by_what_they_execute_and_near_ones_are_not_told_apart() -> None:
    others = [
        _candidate("slower", 160.0),
        _candidate("near", 100.0),
        _candidate("faster", 40.0),
        _candidate("unprofiled", None),
        _candidate("of-64-bit", 10.0, machine="EM_AARCH64"),
        _candidate("of-four-images", 10.0, batch=4),
        _candidate("of-another-network", 10.0, model="lenet-5"),
    ]
    made = valid(
        "estimate-order", order.document(_candidate("asked", 83.5), others, "face-cnn", PI3)
    )
    assert [row["cell"] for row in made["cells"]] == ["faster", "asked", "near", "slower"]
    assert [row["told_apart"] for row in made["cells"]] == [True, False, False, True]
    assert made["kind"] == "estimated order"
    assert not [key for key in made if "ms" in key.split("_")]


def test_a_cell_without_a_profile_is_refused_and_told_what_to_do() -> None:
    with pytest.raises(InputError, match="its present build has no profile") as caught:
        order.document(_candidate("asked", None), [], "face-cnn", PI3)
    assert caught.value.hint == "`inv profile asked --host BOARD`, a virtual board that counts"


def test_the_command_tells_no_milliseconds_of_another_stack(tmp_path: Path) -> None:
    words = ("estimate", "caffe-blis", "--as", "pi3", "--state", str(tmp_path))
    refused = run(*words, cwd=ROOT)
    assert refused.returncode == 3, refused.stderr
    assert "caffe-blis: no milliseconds, which are told of ncnn alone" in refused.stderr
    kept.write(tmp_path / "profiles" / "caffe-blis.json", _profile("caffe-blis", 52.0))
    stale = run(*words, cwd=ROOT)
    assert "its present build has no profile" in stale.stderr
    calibrated = run(*words, "--calibrate", "r1", cwd=ROOT)
    assert "runs of caffe are not taken into the fit" in calibrated.stderr


def test_a_profile_of_another_build_does_not_count_and_is_said_to_be(tmp_path: Path) -> None:
    words = ("estimate", "ncnn", "--as", "pi3", "--state", str(tmp_path))
    plain = run(*words, cwd=ROOT)
    kept.write(tmp_path / "profiles" / "ncnn.json", _profile("ncnn", 500.0))
    stale = run(*words, cwd=ROOT)
    assert "the kept profile is of another build of this cell, and does not count" in stale.stdout
    assert stale.stdout.splitlines()[:3] == plain.stdout.splitlines()[:3]


def test_every_board_has_a_group_and_a_part_number_and_is_named_where_none_is_known() -> None:
    from buildmatrix.estimate import calibration

    for one in board.boards().values():
        assert one.core in calibration.PARTS
    told = run("estimate", "ncnn", "--as", "jetson", cwd=ROOT)
    for name in board.boards():
        assert name in told.stderr
