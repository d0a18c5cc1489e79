"""Which stacks of matrix.yaml the tests build and run, and in which state folder.

`python -m tests.stacks` builds them ahead of the tests that need them: one build, many users.
Three quarters of an hour of compiling is too much for every push: of the LONG ones the others tell
enough. `scripts/test stacks` and `scripts/test nightly` build and run them too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from buildmatrix.pipeline import project
from tests.boards import STATE

ROOT = Path(__file__).parent.parent
LONG = (
    "tflite-vanilla",
    "tflite-neon-vfpv4",
    "tflite-int8-symmetric",
    "tflite-int8-asymmetric",
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
    "mxnet-wheel-openblas-0.3.21",
    "mxnet-wheel-onednn",
    "ncnn",
    "ncnn-as-shipped",
    "ncnn-int8",
)
MATRIX = project.load(ROOT / "matrix.yaml")
CHOSEN = [
    cell.id
    for cell in MATRIX.cells
    if cell.id not in LONG or os.environ.get("BUILDMATRIX_TEST_STACKS") == "all"
]
ONLY = [word for cell in CHOSEN for word in ("--only", cell)]


def build() -> str | None:
    """Run an `inv build` of what was chosen, in the tests' state folder; the words of a failure.

    A chosen cell whose source is out of reach is no failure here: test_stacks looks at its words.
    """
    environment = {**os.environ, "BUILDMATRIX_STATE": str(STATE)}
    argv = [sys.executable, "-m", "buildmatrix", "build", "--matrix", str(ROOT / "matrix.yaml")]
    ended = subprocess.run(
        [*argv, *ONLY, "--json"], check=False, env=environment, stdout=subprocess.PIPE, text=True
    )
    cells = json.loads(ended.stdout)["cells"]
    fine = ("done", "cached", "unavailable")
    failed = [f"{cell['id']}: {cell['state']}" for cell in cells if cell["state"] not in fine]
    return "\n".join(failed) or None


if __name__ == "__main__":
    sys.exit(build())
