"""Libraries that only some commands need, and the extra of the package that brings each.

Building and auditing do without them; together they are more than half of an environment.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from buildmatrix.errors import BuildmatrixError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Extra(NamedTuple):
    """What an extra is for, as the beginning of a sentence, and the modules that come with it."""

    purpose: str
    modules: tuple[str, ...]


EXTRAS: Mapping[str, Extra] = {
    "formats": Extra(
        "the model formats of ONNX and TensorFlow Lite", ("onnx", "tflite", "flatbuffers")
    ),
    "onnx": Extra("models out of ONNX files", ("onnxruntime",)),
    "litert": Extra("models out of quantized TensorFlow Lite files", ("ai_edge_litert",)),
    "verdicts": Extra("the statistics of results", ("scipy",)),
    "plots": Extra("plots and pages", ("vl_convert",)),
    "sbom": Extra("papers of what is handed over", ("cyclonedx",)),
    "attestations": Extra("attestations of the Python index", ("pypi_attestations",)),
    "shared": Extra("stores that machines share", ("fsspec",)),
    "s3": Extra("shared stores on a server", ("s3fs",)),
    "dask": Extra("workers on other machines", ("distributed",)),
}


def explained(absent: ModuleNotFoundError) -> BuildmatrixError:
    """The error that names the extra to install. Raises `absent` where none brings the module."""
    module = (absent.name or "").partition(".")[0]
    for name, extra in EXTRAS.items():
        if module in extra.modules:
            return missing(name, module)
    raise absent


def require(name: str) -> None:
    """Raise BuildmatrixError when a module of the extra is not installed: before long work."""
    if module := lacks(name):
        raise missing(name, module)


def lacks(name: str) -> str:
    """The first module of an extra that is not installed; empty where all are."""
    return next((module for module in EXTRAS[name].modules if find_spec(module) is None), "")


def missing(name: str, module: str) -> BuildmatrixError:
    return BuildmatrixError(
        f"{EXTRAS[name].purpose} need {module}, which is not installed",
        hint=f"pip install 'buildmatrix[{name}]', or 'buildmatrix[all]' for everything",
    )
