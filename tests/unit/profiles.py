"""Profiles as a virtual Pi 3 gave them: OpenBLAS 0.3.34 under Caffe, without NEON and with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buildmatrix.documents.profiling import FunctionRow, Profile

IM2COL = (
    "libcaffe.so.1.0.0",
    "_ZN5caffe10im2col_cpuIfEEvPKT_iiiiiiiiiiiPS1_",
    "void caffe::im2col_cpu<float>(float const*, int, int, int)",
    {"integer": 3749372.0, "loads": 1310732.0, "stores": 1163689.0, "branches": 2449201.0},
)
PLAIN = {
    "scalar multiply-adds": 50055824.0,
    "other scalar float": 169440.0,
    "integer": 5574047.0,
    "loads": 7701077.0,
    "stores": 417551.0,
    "branches": 1672347.0,
}
NEON = {
    "quad multiply-adds": 12513532.0,
    "other NEON": 45272.0,
    "scalar multiply-adds": 1696.0,
    "integer": 2072059.0,
    "loads": 6690249.0,
    "stores": 131951.0,
    "branches": 1672347.0,
}


def row(library: str, symbol: str, name: str, works: dict[str, float]) -> FunctionRow:
    return {
        "library": library,
        "symbol": symbol,
        "name": name,
        "instructions": sum(works.values()),
        "share": 0.0,
        "works": works,
    }


def profile(cell: str, instructions: float, *functions: FunctionRow) -> Profile:
    return {
        "version": 1,
        "cell": cell,
        "bundle": "d" * 64,
        "model": "face-cnn",
        "board": "pi3-counted",
        "batch": 1,
        "passes": 4,
        "samples": None,
        "instructions": instructions,
        "counted_by_harness": instructions,
        "quad_multiply_adds_needed": 12342800.0,
        "works": {},
        "libraries": [],
        "functions": list(functions),
    }


def kernel(works: dict[str, float], symbol: str = "sgemm_kernel") -> FunctionRow:
    return row("libopenblas.so.0", symbol, symbol, works)


WITHOUT_NEON = profile("0.3.34", 83519993.0, kernel(PLAIN), row(*IM2COL))
WITH_NEON = profile("0.3.34-neon", 40959234.5, kernel(NEON), row(*IM2COL))
