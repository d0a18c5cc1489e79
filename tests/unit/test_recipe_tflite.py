"""What keeps the TensorFlow Lite cells apart, and what they share."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildmatrix import recipe, resolved, toolchain
from buildmatrix.pipeline import project
from buildmatrix.works import BundleWork

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_the_audit_tells_the_two_sets_of_flags_apart() -> None:
    works = project.load(ROOT / "matrix.yaml").graph
    policies = {
        w.subject.cell.id: w.subject.policy for w in works if isinstance(w.subject, BundleWork)
    }
    library = ("lib/libtensorflowlite_c.so",)
    vanilla, neon = policies["tflite-vanilla"], policies["tflite-neon-vfpv4"]
    assert (vanilla.neon_required, vanilla.neon_forbidden) == ((), library)
    assert (neon.neon_required, neon.neon_forbidden) == (library, ())


@pytest.mark.parametrize("name", ["tflite", "tflite-runtime", "litert"])
@pytest.mark.parametrize(
    ("numbers", "model", "computes"),
    [
        ("float32", "tflite", "float32"),
        ("int8-symmetric", "tflite-int8-symmetric", "int8"),
        ("int8-asymmetric", "tflite-int8-asymmetric", "int8"),
        ("float16-weights", "tflite-float16-weights", "float16-weights"),
        ("int8-symmetric-per-tensor", "tflite-int8-symmetric-per-tensor", "int8"),
        ("int8-asymmetric-per-tensor", "tflite-int8-asymmetric-per-tensor", "int8"),
        ("int8-as-given", "tflite-int8-as-given", "int8"),
    ],
)
def test_an_engine_says_what_its_model_computes_with(
    name: str, numbers: str, model: str, computes: str
) -> None:
    found = recipe.load_all(ROOT / "recipes")[name]
    image = toolchain.load_all(ROOT / "toolchains")["arm64-bookworm"]
    options = {n: o.default for n, o in found.spec.options.items() if o.default is not None}
    assert found.spec.runner is not None
    made = resolved.Resolver().runner(
        found, found.spec.runner, {**options, "numbers": numbers}, image
    )
    assert made.model_format == model
    assert f"-DNUMBER_FORMAT='\"{computes}\"'" in made.script


def test_all_libraries_are_measured_through_one_engine() -> None:
    names = ("tflite", "tflite-runtime", "tflite-xnnpack")
    engines = {(ROOT / "recipes" / n / "runner/engine.cpp").read_bytes() for n in names}
    assert len(engines) == 1


def test_the_xnnpack_cell_takes_the_very_library_of_the_neon_cell() -> None:
    needs = {w.id: w.needs for w in project.load(ROOT / "matrix.yaml").graph}
    library = [i for i in needs["bundle:tflite-neon-vfpv4"] if i.startswith("build:tflite[")]
    assert len(library) == 1
    assert library[0] in needs["bundle:tflite-xnnpack"]


@pytest.mark.slow
def test_the_ruy_cell_is_where_debians_ruy_has_neon() -> None:
    found = recipe.load_all(ROOT / "recipes")["tflite"]
    images = toolchain.load_all(ROOT / "toolchains")
    options = {n: o.default for n, o in found.spec.options.items() if o.default is not None}
    for image, hidden in (("armv7hf-bookworm", True), ("arm64-bookworm", False)):
        script = resolved.Resolver().build(found, {**options, "ruy": True}, images[image]).script
        assert "-DTFLITE_ENABLE_RUY=ON" in script
        assert ("RUY_PLATFORM_NEON 0" in script) is hidden
    works = project.load(ROOT / "matrix.yaml").graph
    cells = {w.subject.cell for w in works if isinstance(w.subject, BundleWork)}
    ruy = [c for c in cells if dict(c.options).get("ruy") is True]
    assert [(c.id, c.toolchain) for c in ruy] == [("tflite-ruy-arm64", "arm64-bookworm")]
