"""What keeps the TensorFlow Lite cells apart, and what they share."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildmatrix import recipe, toolchain
from buildmatrix.graph import Packed
from buildmatrix.pipeline import project

ROOT = Path(__file__).parent.parent.parent


def test_the_audit_tells_the_two_sets_of_flags_apart() -> None:
    works = project.load(ROOT / "matrix.yaml").works
    policies = {w.subject.cell.id: w.subject.policy for w in works if isinstance(w.subject, Packed)}
    library = ("lib/libtensorflowlite_c.so",)
    vanilla, neon = policies["tflite-vanilla"], policies["tflite-neon-vfpv4"]
    assert (vanilla.neon_required, vanilla.neon_forbidden) == ((), library)
    assert (neon.neon_required, neon.neon_forbidden) == (library, ())


@pytest.mark.parametrize("name", ["tflite", "tflite-runtime"])
@pytest.mark.parametrize(
    ("numbers", "model", "computes"),
    [
        ("float32", "tflite", "float32"),
        ("int8-symmetric", "tflite-int8-symmetric", "int8"),
        ("int8-asymmetric", "tflite-int8-asymmetric", "int8"),
    ],
)
def test_an_engine_says_what_its_model_computes_with(
    name: str, numbers: str, model: str, computes: str
) -> None:
    found = recipe.load_all(ROOT / "recipes")[name]
    image = toolchain.load_all(ROOT / "toolchains")["armv7hf-bookworm"]
    options = {n: o.default for n, o in found.spec.options.items() if o.default is not None}
    unit = recipe.resolve(found, {**options, "numbers": numbers}, image)
    assert unit.model_format == model
    assert f"-DNUMBER_FORMAT='\"{computes}\"'" in unit.runner_script


def test_source_and_wheel_are_measured_through_one_engine() -> None:
    engines = [ROOT / "recipes" / n / "runner/engine.cpp" for n in ("tflite", "tflite-runtime")]
    assert engines[0].read_bytes() == engines[1].read_bytes()
