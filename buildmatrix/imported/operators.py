"""What reads each ONNX operator as a layer: a function that is given the graph and the node.

Source of attributes, defaults and shapes: onnx/onnx, docs/Operators.md and docs/Changelog.md.
A setting that no layer of ours has is an error with the node's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.imported import forms, functions, joins, patterns, picks, weights, windows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from onnx import NodeProto

    from buildmatrix.imported.reading import Reading

OPERATORS: Mapping[str, Callable[[Reading, NodeProto], None]] = {
    "Conv": weights.conv,
    "ConvTranspose": weights.conv_transpose,
    "Gemm": weights.gemm,
    "MatMul": weights.matmul,
    "BatchNormalization": weights.batch_norm,
    "Add": joins.arithmetic,
    "Sub": joins.arithmetic,
    "Mul": joins.arithmetic,
    "Div": joins.arithmetic,
    "Sum": joins.summed,
    "Concat": joins.concat,
    "Split": joins.split,
    "Slice": joins.cut,
    "MaxPool": windows.pool,
    "AveragePool": windows.pool,
    "GlobalAveragePool": windows.global_pool,
    "GlobalMaxPool": windows.global_pool,
    "ReduceMean": windows.reduced,
    "ReduceMax": windows.reduced,
    "Pad": windows.pad,
    "Relu": functions.relu,
    "Clip": functions.clip,
    "Min": functions.bounded,
    "Max": functions.bounded,
    "LeakyRelu": functions.leaky,
    "PRelu": functions.leaky,
    "Sigmoid": functions.activation,
    "Tanh": functions.activation,
    "HardSwish": functions.activation,
    "Gelu": functions.activation,
    "Log": functions.activation,
    "HardSigmoid": functions.hard_sigmoid,
    "Softmax": functions.softmax,
    "LogSoftmax": functions.softmax,
    "LRN": functions.lrn,
    "Reshape": forms.reformed,
    "Flatten": forms.reformed,
    "Squeeze": forms.reformed,
    "Unsqueeze": forms.reformed,
    "Identity": forms.reformed,
    "Dropout": forms.reformed,
    patterns.SHUFFLE: forms.shuffle,
    "DepthToSpace": forms.depth_to_space,
    "SpaceToDepth": picks.space_to_depth,
    "Gather": picks.gather,
    "Cast": forms.cast,
    "Transpose": forms.transpose,
    "Resize": forms.resize,
    "Upsample": forms.resize,
}
