"""Runners of bundles for this machine, run on networks that no cell is of."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import HealthCheck, given, settings

from buildmatrix import reference, schema
from buildmatrix.export import able, export
from buildmatrix.imported import described
from buildmatrix.imported.spec import FileNetworkSpec
from tests import onnx_files
from tests.boards import STATE
from tests.integration import cli
from tests.unit.test_imported_agreement import networks

if TYPE_CHECKING:
    from collections.abc import Callable

    from onnx import ModelProto

    from buildmatrix.network import NetworkSpec

    Convert = Callable[[Path], object]

ROOT = Path(__file__).parent.parent
BATCHES = (3, 1)
ALLOWED = 1e-3  # outputs near zero beside large ones lose most of float32's digits


def bundled(cell: str, folder: Path) -> Path:
    """The runner of a cell's bundle, which is built where it is not, and handed over."""
    cli.run("build", "--only", cell, cwd=ROOT, state=STATE, code=0)
    cli.run("get", cell, "--out", str(folder), cwd=ROOT, state=STATE, code=0)
    return folder / "bin" / "runner"


def lines(runner: Path, model: Path, *arguments: str) -> list[Any]:
    """What the runner tells of each batch, one pass and no other before it."""
    done = subprocess.run(
        [runner, "--model", model, "--passes", "1", "--warmup", "0", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def worst(
    runner: Path,
    net: NetworkSpec,
    format: str,
    folder: Path,
    *,
    convert: Convert = bool,
    apart: float = 0.0,
) -> float:
    """The largest relative error of any batch; `convert` is called on the exported files.

    Images of a batch, which are all the same one, have answers that are at most `apart` of the
    largest value from each other.
    """
    export(net, format=format, destination=folder)
    convert(folder)
    told = lines(runner, folder, "--batch", ",".join(map(str, BATCHES)))
    assert [(one["batch"], one["status"]) for one in told] == [(b, "ok") for b in BATCHES], told
    right = np.fromfile(folder / "expected.f64")
    assert max(one["batch_max_abs_diff"] for one in told) <= apart * np.abs(right).max()
    return max(reference.max_relative_error(np.array(one["output"]), right) for one in told)


def agreeing(
    runner: Path, format: str, examples: int, *, convert: Convert = bool, apart: float = 0.0
) -> int:
    """How many random networks out of ONNX files the format can say; the runner is right of all,
    as `worst` has it.

    Raises AssertionError with a network of which it is not.
    """

    def agree(net: NetworkSpec, folder: Path) -> None:
        assert worst(runner, net, format, folder, convert=convert, apart=apart) < ALLOWED

    return said(format, examples, agree)


def said(format: str, examples: int, use: Callable[[NetworkSpec, Path], object]) -> int:
    """How many random networks out of ONNX files the format can say; each is used with a folder
    that is there for so long."""
    many = 0

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(networks())
    def each(model: ModelProto) -> None:
        nonlocal many
        with TemporaryDirectory() as place:
            folder = onnx_files.write(Path(place) / "mine", model)
            text = (folder / "model.yaml").read_text().replace("1.0e-4", str(ALLOWED))
            (folder / "model.yaml").write_text(text)
            net = described(schema.load(folder / "model.yaml", FileNetworkSpec), folder)
            if not able.gap(net, format):
                many += 1
                use(net, folder / format)

    each()
    return many
