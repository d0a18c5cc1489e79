"""Libraries that only some commands need, and the extra of the package that brings each.

Building and auditing do without them; together they are more than half of an environment.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from buildmatrix.errors import BuildmatrixError

if TYPE_CHECKING:
    from collections.abc import Mapping

EXTRAS: Mapping[str, tuple[str, ...]] = {  # by extra, the modules that come with it
    "formats": ("onnx", "tflite", "flatbuffers"),
    "onnx": ("onnxruntime",),
    "verdicts": ("scipy", "ruptures"),
    "plots": ("vl_convert",),
}
PURPOSES: Mapping[str, str] = {
    "formats": "the model formats of ONNX and TensorFlow Lite",
    "onnx": "models out of ONNX files",
    "verdicts": "the statistics of results",
    "plots": "plots and pages",
}


def explained(absent: ModuleNotFoundError) -> BuildmatrixError:
    """The error that names the extra to install. Raises `absent` where none brings the module."""
    module = (absent.name or "").partition(".")[0]
    for extra, modules in EXTRAS.items():
        if module in modules:
            return missing(extra, module)
    raise absent


def require(extra: str) -> None:
    """Raise BuildmatrixError when a module of the extra is not installed: before long work."""
    for module in EXTRAS[extra]:
        if find_spec(module) is None:
            raise missing(extra, module)


def missing(extra: str, module: str) -> BuildmatrixError:
    return BuildmatrixError(
        f"{PURPOSES[extra]} need {module}, which is not installed",
        hint=f"pip install 'buildmatrix[{extra}]', or 'buildmatrix[all]' for everything",
    )
