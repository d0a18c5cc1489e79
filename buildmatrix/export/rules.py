"""What each format can say of one layer, and in words what it cannot. Pure."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from buildmatrix.export.layout import same_padding
from buildmatrix.layers import (
    ConcatSpec,
    ConvSpec,
    DeconvSpec,
    DepthToSpaceSpec,
    FcSpec,
    JoinSpec,
    LrnSpec,
    PadSpec,
    PoolSpec,
    ReluSpec,
    ShuffleSpec,
    SoftmaxSpec,
    UpsampleSpec,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from buildmatrix.layers import Layer
    from buildmatrix.network import Step

CHAIN = (ConvSpec, ReluSpec, PoolSpec, FcSpec, SoftmaxSpec)
UNEVEN = "windows or pads that differ between sides"
LEAVES_OUT = "average that leaves out what was padded"
COUNTS = "average that counts what was padded"
COUNTS_SOME = "average that counts a part of what was padded"
MOST_IN_A_CALL = 65535  # of what CMSIS-NN counts in 16 bits
MANY = f"call of more than {MOST_IN_A_CALL:,} values"


def any_layer(_step: Step) -> str:
    return ""


def chain(step: Step) -> str:
    """Layers one after the other, square windows, the same zeros on all sides."""
    layer: Layer = step.layer
    if not isinstance(layer, CHAIN):
        return layer.type
    if isinstance(layer, ConvSpec | PoolSpec) and not layer.window.plain:
        return UNEVEN
    if isinstance(layer, ConvSpec) and layer.window.dilation != (1, 1):
        return "dilation"
    if isinstance(layer, PoolSpec) and any(layer.window.pads):
        return "padding of a pooling"
    return _grouped(step)


def cmsis_nn(step: Step) -> str:
    """What CMSIS-NN's q7 functions take: a chain of layers over square images, in calls whose
    sizes are 16 bits. They are told the size of what comes out, so a bottom and a right pad may be
    any; a top and a left one are one number, and a pooling's is 0, since with another the variant
    for a Cortex-M4 reads what it has written already."""
    layer: Layer = step.layer
    if isinstance(layer, ConvSpec | PoolSpec):
        return _square(step, layer)
    if isinstance(layer, FcSpec):
        return MANY if prod(step.before) > MOST_IN_A_CALL else ""
    if isinstance(layer, SoftmaxSpec):
        return "softmax of several pixels" if step.before[1:] != (1, 1) else ""
    return "" if isinstance(layer, ReluSpec) else layer.type


def _square(step: Step, layer: ConvSpec | PoolSpec) -> str:
    window, (top, left, *_) = layer.window, layer.window.pads
    sides = ((step.before.height, step.before.width), (step.after.height, step.after.width))
    if any(one != other for one, other in (*sides, window.kernel, window.stride)) or top != left:
        return "images, windows or pads that differ between sides"
    if isinstance(layer, ConvSpec):
        if layer.groups > 1 or window.dilation != (1, 1):
            return "convolution with groups or dilation"
        return MANY if step.before.channels * prod(window.kernel) > MOST_IN_A_CALL else ""
    if layer.counts_pad and any(side > 0 for side in window.pads):
        return COUNTS
    if top or (step.after.height - 1) * window.stride[0] >= step.before.height:
        return "padding of a pooling before its image, or windows beyond it"
    return MANY if step.after.width * step.before.channels > MOST_IN_A_CALL else ""


def _grouped(step: Step) -> str:
    layer = step.layer
    if isinstance(layer, ConvSpec) and layer.groups not in (1, step.before.channels):
        return f"convolution of {layer.groups} groups over {step.before.channels} channels"
    return ""


def _even_lrn(layer: Layer) -> str:
    if isinstance(layer, LrnSpec) and layer.size % 2 == 0:
        return f"lrn over {layer.size} channels, an even number"
    return ""


def lite(step: Step) -> str:
    layer = step.layer
    if isinstance(layer, PoolSpec) and layer.method == "average":
        return _last_channels_average(layer)
    if isinstance(layer, DeconvSpec):
        return "deconv of a batch of any size"  # TRANSPOSE_CONV is told the batch in the file
    if isinstance(layer, PadSpec) and layer.mode == "edge":
        return "pad of what is at the edge"
    return _even_lrn(layer)


def armnn(step: Step) -> str:
    """Of that, what Arm NN 23.08 finds a backend for, on the Compute Library 24.11."""
    return _grouped(step) or lite(step)


def _last_channels_average(layer: PoolSpec) -> str:
    """TensorFlow's own 'SAME' counts what is there alone."""
    padded = any(side > 0 for side in layer.window.pads)
    own = layer.counts_pad or same_padding(layer)
    return "" if own or not padded else LEAVES_OUT


def _between(layer: Layer) -> str:
    """MXNet's UpSampling learns its lines, TensorFlow's ResizeBilinear began with corners."""
    return "linear upsample" if isinstance(layer, UpsampleSpec) and layer.mode == "linear" else ""


def _untried(layer: Layer) -> str:
    """Sums with a constant, error functions and logarithms, of Caffe, MXNet and TensorFlow 1.x."""
    return layer.type if layer.type in ("shift", "gelu", "log") else ""


def tensorflow(step: Step) -> str:
    layer = step.layer
    if isinstance(layer, ConvSpec) and layer.groups > 1:
        (down, along), spread = layer.window.stride, layer.window.dilation
        if layer.groups == step.before.channels and (down != along or spread != (1, 1)):
            return "depthwise convolution with dilation, or strides that differ between sides"
    return _grouped(step) or _untried(layer) or _between(layer) or lite(step)


def ncnn(step: Step) -> str:
    layer = step.layer
    if isinstance(layer, JoinSpec) and step.befores[0] != step.befores[1]:
        return _pixel(step)
    return _even_lrn(layer)


def _pixel(step: Step) -> str:
    """ncnn's BinaryOp stretches its second input, of one pixel, over the first."""
    return "" if step.befores[0] == step.after else f"{step.layer.type} whose first input is small"


def caffe(step: Step) -> str:
    layer = step.layer
    if isinstance(layer, UpsampleSpec | PadSpec | ShuffleSpec | DepthToSpaceSpec):
        return layer.type
    if untried := _untried(layer):
        return untried
    if isinstance(layer, ConvSpec | DeconvSpec) and not layer.window.mirrored:
        return UNEVEN
    if isinstance(layer, PoolSpec):
        return _caffe_pool(step, layer)
    return _even_lrn(layer)


def _caffe_pool(step: Step, layer: PoolSpec) -> str:
    top, left, bottom, right = layer.window.pads
    height, width = layer.window.kernel
    if rounded(step) is None or top >= height or left >= width:
        return UNEVEN
    if layer.method == "max":
        return ""
    if not layer.counts_pad:
        return LEAVES_OUT if top or left else ""
    return COUNTS_SOME if bottom > top or right > left else ""


def rounded(step: Step) -> str | None:
    """How Caffe has to round a pooling's size so that it is ours: 'CEIL', its own, or 'FLOOR'; None
    where neither does. Source: BVLC/caffe 99bd997, src/caffe/layers/pooling_layer.cpp."""
    layer = step.layer
    assert isinstance(layer, PoolSpec)
    window = layer.window
    for mode, rest in (("CEIL", -1), ("FLOOR", 1)):
        made = []
        for size, start, kernel, stride in zip(
            step.before[1:], window.pads[:2], window.kernel, window.stride, strict=True
        ):
            over = size + 2 * start - kernel
            places = (over // stride if rest > 0 else -(-over // stride)) + 1
            # With a pad anywhere, a last window that would begin beyond the image is left out.
            if any(window.pads[:2]) and (places - 1) * stride >= size + start:
                places -= 1
            made.append(places)
        if tuple(made) == tuple(step.after[1:]):
            return mode
    return None


def mxnet(step: Step) -> str:
    layer = step.layer
    if isinstance(layer, DeconvSpec):
        top, left, bottom, right = layer.window.pads
        more = (top - bottom, left - right)
        fits = all(0 <= n < step for n, step in zip(more, layer.window.stride, strict=True))
        return "" if fits else UNEVEN
    if isinstance(layer, PoolSpec) and layer.method == "average" and not layer.counts_pad:
        padded = any(side > 0 for side in layer.window.pads)
        return LEAVES_OUT if padded and not rounds_down(step) else ""
    return _untried(layer) or _between(layer) or _even_lrn(layer) or _doubled(step)


def _doubled(step: Step) -> str:
    """A sum of one value twice: MXNet 1.9.1 with oneDNN refuses one of a convolution
    (`findings/mxnet-onednn-adds-no-convolution-to-itself.sh`), and OpenCV 4.14.0 does not survive
    some. The reader of files makes a product of it."""
    same = len(set(step.reads)) < len(step.reads)
    return "add of a value to itself" if step.layer.type == "add" and same else ""


def rounds_down(step: Step) -> bool:
    """Whether a pooling with as much at the end as at the start, rounded down, has our windows."""
    layer = step.layer
    assert isinstance(layer, PoolSpec)
    window = layer.window
    made = (
        (size + 2 * start - kernel) // stride + 1
        for size, start, kernel, stride in zip(
            step.before[1:], window.pads[:2], window.kernel, window.stride, strict=True
        )
    )
    return tuple(made) == tuple(step.after[1:])


def executorch(step: Step) -> str:
    """What ExecuTorch hands to XNNPACK: its backend's schema, package executorch 1.5.1."""
    layer = step.layer
    if isinstance(layer, DeconvSpec | DepthToSpaceSpec | LrnSpec) or layer.type in ("gelu", "log"):
        return layer.type
    if isinstance(layer, PadSpec) and layer.mode != "constant":
        return f"pad of mode {layer.mode}"
    if isinstance(layer, UpsampleSpec) and layer.mode == "nearest":
        return "upsample to the nearest"
    if isinstance(layer, ConcatSpec) and len(step.reads) < 2:
        return "concat of one value"
    if isinstance(layer, PoolSpec) and layer.window.kernel == (1, 1):
        return "pooling of single values"
    return ""


def opencv(step: Step) -> str:
    """What OpenCV's dnn, 4.14.0, computes as ONNX means it; of the rest it says nothing.

    Seen against onnxruntime: `findings/opencv-averages-padding-away.sh`.
    """
    layer = step.layer
    if isinstance(layer, PoolSpec) and layer.method == "average" and layer.counts_pad:
        return COUNTS if any(layer.window.pads) else ""
    if isinstance(layer, DeconvSpec) and not layer.window.mirrored:
        return "deconv with pads that differ between sides"  # this one it says itself
    if isinstance(layer, ConvSpec):
        pads = layer.window.pads
        if layer.window.kernel == (1, 1) and any(pads):
            return "padding of a 1x1 convolution"
        if layer.groups > 1 and pads[:2] != pads[2:]:
            return "depthwise convolution with pads that differ between sides"
    return _doubled(step)


def openvino(step: Step) -> str:
    """What OpenVINO 2026.4.1 computes as ONNX means it: it moves the stride of a 1x1 convolution
    past what reads into it, and not its pads. `findings/openvino-moves-strides-past-pads.sh`."""
    layer = step.layer
    if isinstance(layer, ConvSpec) and layer.window.kernel == (1, 1):
        strides, pads = layer.window.stride, layer.window.pads
        return "stride of a padded 1x1 convolution" if max(strides) > 1 and max(pads) > 0 else ""
    return ""


def tvm(step: Step) -> str:
    """What TVM reads out of an ONNX file, apache-tvm 0.27.0.post1: of an lrn it pads as much after
    the channels as before them, and of an even size comes to one channel too many."""
    return _even_lrn(step.layer)


def mnn(step: Step) -> str:
    """What MNN 3.6.1 computes of an ONNX file as ONNX means it; of the rest it says nothing.

    Seen of random networks of every layer against the reference; tests/integration/test_mnn.py
    holds that what is refused is wrong.
    """
    layer = step.layer
    if isinstance(layer, PoolSpec) and layer.method == "average" and layer.counts_pad:
        top, left, bottom, right = layer.window.pads
        return f"{COUNTS}, of which more is at the end" if bottom > top or right > left else ""
    return _even_lrn(layer)


RULES: Mapping[str, Callable[[Step], str]] = {
    "caffe": caffe,
    "tensorflow": tensorflow,
    "tflite": lite,
    "tflite-armnn": armnn,
    "tflite-float16-weights": lite,
    "tflite-int8-symmetric": chain,
    "tflite-int8-asymmetric": chain,
    "tflite-int8-symmetric-per-tensor": chain,
    "tflite-int8-asymmetric-per-tensor": chain,
    "tflite-int8-as-given": any_layer,  # of a quantized file's own
    "mxnet": mxnet,
    "mxnet-as-shipped": mxnet,
    "onnx": any_layer,
    "onnx-float16-weights": any_layer,
    "onnx-int8": any_layer,
    "onnx-int8-per-tensor": any_layer,
    "onnx-opencv": opencv,
    "onnx-openvino": openvino,
    "onnx-openvino-float16-weights": openvino,
    "onnx-openvino-int8": openvino,
    "onnx-openvino-int8-per-tensor": openvino,
    "onnx-tvm": tvm,
    "onnx-mnn": mnn,
    "ncnn": ncnn,
    "ncnn-int8": chain,
    "executorch": executorch,
    "raw": chain,
    "cmsis-nn": cmsis_nn,
}
CHAINS = (chain, cmsis_nn)  # of formats that know no branches
