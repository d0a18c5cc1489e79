#!/usr/bin/env bash
# LiteRT 2.3.0 (PyPI: ai-edge-litert) takes a number of threads for its CPU beside the kind of
# kernels. Its compiled models, which are what its C API has, give that number to XNNPACK alone:
# with its own kernels, optimized or reference, four threads are one, and nothing is said. The
# interpreter of the same package, which its C API has not, starts four for the same kernels.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  numpy==2.4.6 flatbuffers==25.12.19 ai-edge-litert==2.3.0

cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' 2>warnings
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.cpu_kernel_mode import CpuKernelMode
from ai_edge_litert.cpu_options import CpuOptions
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.options import Options

SIZE = (1, 64, 64, 16)
FLOAT = schema.TensorType.FLOAT32


def tensor(name, shape, buffer=0):
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, list(shape), FLOAT, buffer
    return made


def constant(values):
    made = schema.BufferT()
    made.data = np.frombuffer(values.astype("<f4").tobytes(), np.uint8)
    return made


def convolution():
    """One convolution, 3x3, of 16 channels to 16."""
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    code.version = 1
    node = schema.OperatorT()
    node.inputs, node.outputs = [0, 1, 2], [3]
    node.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    node.builtinOptions = schema.Conv2DOptionsT()
    node.builtinOptions.strideH = node.builtinOptions.strideW = 1
    graph = schema.SubGraphT()
    graph.tensors = [
        tensor("x", SIZE),
        tensor("w", (16, 3, 3, 16), 1),
        tensor("b", (16,), 2),
        tensor("y", SIZE),
    ]
    graph.inputs, graph.outputs, graph.operators = [0], [3], [node]
    made = schema.ModelT()
    made.version, made.operatorCodes, made.subgraphs = 3, [code], [graph]
    made.buffers = [schema.BufferT(), constant(np.ones(2304)), constant(np.zeros(16))]
    builder = flatbuffers.Builder(0)
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def threads():
    return len(list(Path("/proc/self/task").iterdir()))


def compiled(kernels):
    options = Options(cpu_options=CpuOptions(num_threads=4, kernel_mode=kernels))
    model = CompiledModel.from_file("net.tflite", options=options)
    given, answer = model.create_input_buffers(0), model.create_output_buffers(0)
    given[0].write(np.ones(SIZE, np.float32).ravel())
    model.run_by_index(0, given, answer)
    return model


def interpreted():
    own = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    made = Interpreter("net.tflite", num_threads=4, experimental_op_resolver_type=own)
    made.allocate_tensors()
    made.invoke()
    return made


Path("net.tflite").write_bytes(convolution())
CASES = {
    "compiled, XNNPACK": lambda: compiled(CpuKernelMode.XNNPACK),
    "compiled, its own": lambda: compiled(CpuKernelMode.BUILTIN),
    "compiled, reference": lambda: compiled(CpuKernelMode.REFERENCE),
    "interpreter, its own": interpreted,
}
more = {}
for name, run in CASES.items():
    before = threads()
    kept = run()  # its threads end with it
    more[name] = threads() - before
    del kept
    print(f"{name}: {more[name]} more thread(s) for 4")
assert more["compiled, XNNPACK"] == 3, more
assert more["compiled, its own"] == more["compiled, reference"] == 0, more
assert more["interpreter, its own"] >= 3, more
print("as described")
PYTHON
