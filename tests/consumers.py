"""What reads the exported models: the stacks' own libraries for this machine, from PyPI."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import cv2
import ncnn
import numpy as np
import onnx
import onnxruntime
from ai_edge_litert.interpreter import Interpreter, OpResolverType

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from buildmatrix.reference import F32

    Reader = Callable[[Path, F32], F32]  # the model's folder and a batch of images -> outputs


def onnx_runtime(folder: Path, images: F32) -> F32:
    session = onnxruntime.InferenceSession(str(folder / "net.onnx"))
    (output,) = session.run(None, {"data": images})
    return np.asarray(output)


def onnx_runtime_nodes(folder: Path) -> Counter[str]:
    """How many nodes of each kind onnxruntime makes of the file."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "nodes.onnx")
    options.log_severity_level = 3  # it warns that such a file is of this machine alone
    onnxruntime.InferenceSession(str(folder / "net.onnx"), options)
    return Counter(node.op_type for node in onnx.load(folder / "nodes.onnx").graph.node)


def opencv(folder: Path, images: F32) -> F32:
    """OpenCV's own kernels, on the ONNX file."""
    return _opencv(cv2.dnn.readNetFromONNX(str(folder / "net.onnx")), images)


def opencv_caffe(folder: Path, images: F32) -> F32:
    """The same, on Caffe's files."""
    net = cv2.dnn.readNetFromCaffe(str(folder / "net.prototxt"), str(folder / "net.caffemodel"))
    return _opencv(net, images)


def _opencv(net: Any, images: F32) -> F32:
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.setInput(images)
    return np.asarray(net.forward())


def lite(folder: Path, images: F32) -> F32:
    """With TensorFlow Lite's own kernels."""
    return _lite(folder, images, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)


def lite_xnnpack(folder: Path, images: F32) -> F32:
    """As installed: floating-point and int8 layers go to XNNPACK."""
    return _lite(folder, images, OpResolverType.AUTO)


def _lite(folder: Path, images: F32, resolver: OpResolverType) -> F32:
    interpreter = Interpreter(
        str(folder / "net.tflite"), num_threads=1, experimental_op_resolver_type=resolver
    )
    place = interpreter.get_input_details()[0]["index"]
    pixels = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    interpreter.resize_tensor_input(place, pixels.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(place, pixels)
    interpreter.invoke()
    return np.array(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def ncnn_float32(folder: Path, images: F32) -> F32:
    return _ncnn(folder, images)


def ncnn_as_installed(folder: Path, images: F32) -> F32:
    """It keeps weights and values in half precision unless told not to."""
    return _ncnn(folder, images, "float16")


def ncnn_bfloat16(folder: Path, images: F32) -> F32:
    """Weights and values in 16 bits with the exponent of float32."""
    return _ncnn(folder, images, "bfloat16")


def _ncnn(folder: Path, images: F32, numbers: str = "float32") -> F32:
    net = ncnn.Net()
    net.opt.num_threads = 1
    if numbers != "float16":
        net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
        net.opt.use_bf16_storage = numbers == "bfloat16"
    assert net.load_param(str(folder / "net.param")) == 0
    assert net.load_model(str(folder / "net.bin")) == 0
    return np.stack([_one(net, image) for image in images])


def _one(net: Any, image: F32) -> F32:
    extractor = net.create_extractor()
    extractor.input("data", ncnn.Mat(image).clone())
    status, output = extractor.extract("prob")
    assert status == 0
    return np.array(output)
