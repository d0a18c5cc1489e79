#!/usr/bin/env bash
# TensorFlow Lite's schema lets convolutions, poolings, sums and concatenations say an activation in
# their options. What LiteRT 2.3.0 (PyPI: ai-edge-litert) makes of it, without an error:
# - TANH and SIGN_BIT in CONV_2D, DEPTHWISE_CONV_2D, MAX_POOL_2D, ADD and MUL are left out: the
#   answer is that of NONE. FULLY_CONNECTED alone refuses them when it is prepared;
# - RELU and RELU6 in CONCATENATION are left out as it is installed (XNNPACK takes the operator),
#   and refused by its own kernels: the same file runs with the one and not with the other.
# RELU, RELU6 and RELU_N1_TO_1 in the others are computed, by both.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  numpy==2.4.6 flatbuffers==25.12.19 ai-edge-litert==2.3.0

cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' 2>warnings
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

KERNELS = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
INSTALLED = OpResolverType.AUTO
ACTS = schema.ActivationFunctionType
X = np.linspace(-2, 2, 8, dtype=np.float32).reshape(1, 2, 2, 2)
WINDOW = {"padding": schema.Padding.VALID, "strideH": 1, "strideW": 1}
ONE = {"filterHeight": 1, "filterWidth": 1}
# Operator: its table of options, what is in it, its constants, the size of what it makes.
CASES = {
    "CONV_2D": ("Conv2DOptions", WINDOW, [np.ones((1, 1, 1, 2)), np.zeros(1)], (1, 2, 2, 1)),
    "DEPTHWISE_CONV_2D": (
        "DepthwiseConv2DOptions",
        {**WINDOW, "depthMultiplier": 1},
        [np.ones((1, 1, 1, 2)), np.zeros(2)],
        X.shape,
    ),
    "MAX_POOL_2D": ("Pool2DOptions", {**WINDOW, **ONE}, [], X.shape),
    "ADD": ("AddOptions", {}, [np.array(0.5)], X.shape),
    "MUL": ("MulOptions", {}, [np.array(2.0)], X.shape),
    "FULLY_CONNECTED": ("FullyConnectedOptions", {}, [np.eye(2, 8), np.zeros(2)], (1, 2)),
    "CONCATENATION": ("ConcatenationOptions", {"axis": 3}, [X], (1, 2, 2, 4)),
}


def tensor(shape, buffer=0):
    made = schema.TensorT()
    made.shape, made.type, made.buffer = list(shape), schema.TensorType.FLOAT32, buffer
    made.name = f"t{buffer}" if buffer else str(shape)
    return made


def model(kind, act):
    table, how, constants, size = CASES[kind]
    options = getattr(schema, f"{table}T")()
    for name, value in {**how, "fusedActivationFunction": act}.items():
        setattr(options, name, value)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
    code.version = 1
    one = schema.OperatorT()
    one.opcodeIndex, one.builtinOptions = 0, options
    one.builtinOptionsType = getattr(schema.BuiltinOptions, table)
    one.inputs, one.outputs = [0, *range(2, 2 + len(constants))], [1]
    graph, whole = schema.SubGraphT(), schema.ModelT()
    graph.tensors = [tensor(X.shape), tensor(size)]
    whole.buffers = [schema.BufferT()]
    for number, values in enumerate(constants, start=1):
        graph.tensors.append(tensor(values.shape, number))
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.astype("<f4").tobytes(), np.uint8)
        whole.buffers.append(buffer)
    graph.inputs, graph.outputs, graph.operators = [0], [1], [one]
    whole.version, whole.operatorCodes, whole.subgraphs = 3, [code], [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(whole.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def answer(kind, act, resolver):
    """What comes out; None where the file is refused."""
    interpreter = Interpreter(
        model_content=model(kind, act), experimental_op_resolver_type=resolver
    )
    try:
        interpreter.allocate_tensors()
    except RuntimeError:
        return None
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], X)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def became(kind, name, resolver):
    plain = answer(kind, ACTS.NONE, resolver)
    found = answer(kind, getattr(ACTS, name), resolver)
    if found is None:
        return "refused"
    right = {
        "RELU": np.maximum(plain, 0),
        "RELU6": np.clip(plain, 0, 6),
        "RELU_N1_TO_1": np.clip(plain, -1, 1),
        "TANH": np.tanh(plain),
        "SIGN_BIT": np.signbit(plain).astype(np.float32),
    }[name]
    assert not np.allclose(right, plain), "this input would tell nothing"
    return "computed" if np.allclose(found, right) else "left out" if np.array_equal(found, plain) else "other"


for kind in CASES:
    row = {}
    for name in ("RELU", "RELU6", "RELU_N1_TO_1", "TANH", "SIGN_BIT"):
        row[name] = [became(kind, name, resolver) for resolver in (KERNELS, INSTALLED)]
    print(kind, {name: " / ".join(both) for name, both in row.items()})
    if kind == "CONCATENATION":
        assert row["RELU"] == row["RELU6"] == row["TANH"] == ["refused", "left out"], row
        continue
    for name in ("RELU", "RELU6", "RELU_N1_TO_1"):
        assert row[name] == ["computed", "computed"], (kind, name, row)
    wanted = "refused" if kind == "FULLY_CONNECTED" else "left out"
    assert row["TANH"] == row["SIGN_BIT"] == [wanted, wanted], (kind, row)
print("as described")
PYTHON
