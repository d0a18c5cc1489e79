"""Compiles networks by the recipe `tvm` for this machine and runs them: `tvm_runs.py FOLDER...`.

Run by a Python that has TVM, with nothing of buildmatrix. For each folder with net.onnx and
input.f32 it writes a line of JSON: what came of a batch of three of that image and of one of it, or
the words of what failed.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tvm  # type: ignore[import-not-found]  # of the Python that runs this alone
from tvm import relax

ROOT = Path(__file__).parent.parent
BATCHES = (3, 1)


def compiler() -> Any:
    """The recipe's own script, as a module."""
    path = ROOT / "recipes" / "tvm" / "runner" / "compile.py"
    found = importlib.util.spec_from_file_location("compile_network", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def answers(folder: Path, compile_network: Any) -> list[list[float]]:
    net = folder / "net.onnx"
    machine = relax.VirtualMachine(compile_network.compiled(net, "x86_64-linux-gnu"), tvm.cpu())
    shape = compile_network.input_shape(onnx.load(net))
    image = np.fromfile(folder / "input.f32", "<f4").reshape(shape)
    made = []
    for batch in BATCHES:
        output = machine["main"](tvm.runtime.tensor(np.stack([image] * batch)))
        made += [one.ravel().tolist() for one in output.numpy()]
    return made


def main() -> None:
    compile_network = compiler()
    for name in sys.argv[1:]:
        try:
            with redirect_stdout(sys.stderr):  # where the frontend says what it cannot read
                told: object = answers(Path(name), compile_network)
        except Exception as error:  # noqa: BLE001  # whatever TVM's passes raise
            told = f"{type(error).__name__}: {error}"
        sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
