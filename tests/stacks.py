"""Which stacks of matrix.yaml the tests build and run, and in which state folder.

`python -m tests.stacks` builds them ahead of the tests that need them: one build, many users. It
does so in rounds, and a test waits for its round alone (tests/rounds.py).
Three quarters of an hour of compiling is too much for every push: of the LONG ones the others tell
enough. `scripts/test stacks` and `scripts/test nightly` build and run them too.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.pipeline import project
from tests import rounds
from tests.boards import STATE

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parent.parent
LONG = (
    "tflite-vanilla",
    "tflite-neon-vfpv4",
    "tflite-int8-symmetric",
    "tflite-int8-asymmetric",
    "tflite-float16-weights",
    "tflite-xnnpack",
    "tflite-ruy-arm64",
    "xnnpack",
    "acl",
    "armnn",
    "mxnet-wheel-openblas-0.3.34",
    "mxnet-wheel-openblas-0.3.34-as-shipped",
    "caffe-openblas-0.3.34-arm64",
    "caffe-nnpack-torch-1.9.0",
    "caffe-nnpack",  # never built, but what it is shown by takes long
    "onnxruntime",
    # Each compiles one library more, of a kind that is here already, or is ncnn.
    "caffe-openblas-0.3.21",
    "caffe-openblas-0.3.29",
    "caffe-blis",
    "tflite-runtime-arm64",
    "litert-int8-symmetric-arm64",
    "litert-int8-symmetric-per-tensor-arm64",
    "litert-int8-asymmetric-per-tensor-arm64",
    "openvino-arm64",
    "openvino-float16-weights-arm64",
    "onnxruntime-wheel-float16-weights-arm64",
    "onnxruntime-wheel-int8-per-tensor-arm64",
    "tvm-arm64",
    "tvm-host",
    "mnn-arm64",
    "mnn-fast-arm64",
    "mnn-host",
    "mxnet-wheel-host-onednn",
    "mxnet-wheel-openblas-0.3.21",
    "mxnet-wheel-openblas-0.3.34-split-m",
    "mxnet-wheel-onednn",
    "caffe-openblas-0.3.34-neon-split-m",
    "ggml",
    "ggml-direct",
    "ggml-arm64",
    "opencv-dnn",
    "ncnn",
    "ncnn-as-shipped",
    "ncnn-bfloat16",
    "ncnn-int8",
)
MATRIX = project.load(ROOT / "matrix.yaml")
EVERY = os.environ.get("BUILDMATRIX_TEST_STACKS") == "all"
CHOSEN = [cell.id for cell in MATRIX.cells if EVERY or cell.id not in LONG]
ONLY = [word for cell in CHOSEN for word in ("--only", cell)]
# What boards are harmed with, measured and rebooted under, and one cell of the toolchain that the
# tests of commands use. All that comes after them is for test_stacks.
FIRST = (
    "caffe-openblas-0.3.21",
    "caffe-openblas-0.3.34",
    "caffe-openblas-0.3.34-neon",
    "onnxruntime-wheel-host",
)
# From nothing a compiler cache only costs: of a small C file 100 ms in place of 57, and an OpenBLAS
# is 1,968 of them. The nightly lane keeps it, as people have it.
COMMAND = """
import sys
from buildmatrix import __main__, compiler_cache
if "uncached" in sys.argv:
    sys.argv.remove("uncached")
    compiler_cache.SETTINGS = "disable = true\\n"
__main__.main()
"""


def build() -> str | None:
    """Build what was chosen, round by round; the words of a failure.

    After a round that failed none begins: what failed would be compiled again in it.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what it started ends too
    with ExitStack() as open_ones:
        made = [(open_ones.enter_context(rounds.begun(name)), name) for name in rounds.NAMES]
        for this, name in made:
            first = [cell for cell in CHOSEN if cell in FIRST]
            if words := _build(first if name == rounds.FIRST else CHOSEN):
                for each, _ in made:
                    each.failed(words)
                return words
            this.done()
    return None


def _build(cells: Iterable[str]) -> str | None:
    """Run an `inv build` of these, in the tests' state folder; the words of a failure.

    A cell whose source is out of reach is no failure here: test_stacks looks at its words.
    """
    environment = {**os.environ, "BUILDMATRIX_STATE": str(STATE)}
    argv = [sys.executable, "-c", COMMAND, "build", "--matrix", str(ROOT / "matrix.yaml")]
    argv += [] if EVERY else ["uncached"]
    only = [word for cell in cells for word in ("--only", cell)]
    with subprocess.Popen(
        [*argv, *only, "--json"], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            out, _ = process.communicate()
        finally:
            process.terminate()  # it has ended, or this has been told to
    if not out:
        return (
            f"`inv build` ended with {process.returncode}: its words are in the log of stage build"
        )
    fine = ("done", "cached", "unavailable")
    failed = [one for one in json.loads(out)["cells"] if one["state"] not in fine]
    return "\n".join(f"{one['id']}: {one['state']}" for one in failed) or None


if __name__ == "__main__":
    sys.exit(build())
