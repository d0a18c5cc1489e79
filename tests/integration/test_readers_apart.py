"""Random networks out of ONNX files, read by libraries that cannot be installed beside the rest:
all give the reference's answer, or the format refuses the network."""

from __future__ import annotations

import json
import shutil
import subprocess
import venv
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from buildmatrix import reference
from buildmatrix.export import able, export
from tests.unit.test_imported_agreement import ALLOWED, asked, networks, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onnx import ModelProto

    from buildmatrix.reference import F64

APART = Path(__file__).parent.parent / "apart.py"
AT_ONCE, TIMES = 100, 3  # networks in one process, and processes
pytestmark = pytest.mark.nightly


class Reader(NamedTuple):
    """`name`: of tests/apart.py. `format`: what it is given. `packages`: of PyPI."""

    name: str
    format: str
    packages: tuple[str, ...]


READERS = [
    Reader("opencv", "onnx-opencv", ("opencv-python-headless==5.0.0.93",)),
    Reader("openvino", "onnx-openvino", ("openvino==2026.4.1",)),
    # Its Python part knows NumPy's names of before 1.24.
    Reader("mxnet", "mxnet", ("mxnet==1.9.1", "numpy==1.23.5")),
]


@pytest.fixture(scope="module", params=READERS, ids=lambda reader: reader.name)
def reader(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Reader, Path]]:
    """One of them, and the Python that has its library."""
    folder = tmp_path_factory.mktemp("python")
    venv.create(folder, with_pip=True)
    one: Reader = request.param
    python = folder / "bin" / "python"
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", *one.packages)
    subprocess.run([python, *pip], check=True, timeout=600)
    yield one, python
    shutil.rmtree(folder)


def said(models: list[ModelProto], format: str, folder: Path) -> dict[Path, F64]:
    """The networks that the format can say, two images of each, and the answers to them."""
    answers = {}
    for number, model in enumerate(models):
        place = folder / f"{number}"
        net = written(model, place / "mine")
        if able.gap(net, format):
            continue
        images, right = asked(net)
        export(net, format=format, destination=place)
        np.save(place / "images.npy", images)
        answers[place] = np.stack(right).reshape(2, -1)
    return answers


@settings(
    max_examples=TIMES,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(models=st.lists(networks(), min_size=AT_ONCE, max_size=AT_ONCE))
def test_what_a_format_can_say_is_answered_as_the_reference_does(
    reader: tuple[Reader, Path],
    models: list[ModelProto],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    (name, format, _), python = reader
    folder = tmp_path_factory.mktemp("networks")
    right = said(models, format, folder)
    assert len(right) > AT_ONCE / 2  # or the format refuses what it should say
    done = subprocess.run(
        [python, APART, name, *right], stdout=subprocess.PIPE, text=True, check=True, timeout=600
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    wrong = {}
    for (place, want), answer in zip(right.items(), told, strict=True):
        off = answer if isinstance(answer, str) else _off(np.array(answer), want)
        if isinstance(off, str) or off > ALLOWED:
            wrong[place] = off
    assert wrong == {}
    shutil.rmtree(folder)


def _off(answers: F64, want: F64) -> float:
    return max(map(reference.max_relative_error, answers, want))
