"""The networks whose times were published for real boards, as layers.

Layers and shapes are those of ncnn's benchmark page (Tencent/ncnn, benchmark/*.param, as it had
them for the published times), with batch normalizations folded where the files fold them. Weights
are of no interest to an estimate. Where no layer of ours is the file's, one stands for it that
moves as many values: a sigmoid for a swish, a rectifier for a batch normalization that stands
alone, a shuffle for a permutation. What is done with a detector's boxes at its end is left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildmatrix import network
from buildmatrix.network import ImportedNetwork

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Drawing:
    """A network that is being written down, layer after layer."""

    def __init__(self, name: str, size: int, channels: int = 3) -> None:
        self.name, self.size, self.channels = name, size, channels
        self.layers: list[dict[str, Any]] = []
        self.shapes: dict[str, tuple[int, int]] = {"data": (channels, size)}
        self.last = "data"

    def add(self, kind: str, reads: Sequence[str] = (), **what: Any) -> str:
        """Append one layer that reads these, or the last; its name is where it stands."""
        name = f"l{len(self.layers)}"
        what["inputs"] = list(reads) or [self.last]
        self.layers.append({"name": name, "type": kind, **what})
        self.last = name
        return name

    def conv(
        self,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        groups: int = 1,
        pad: int | None = None,
        relu: bool = True,
        act: str = "relu",
    ) -> str:
        """A convolution that keeps the size, unless told otherwise, and its activation."""
        self.add(
            "conv",
            outputs=outputs,
            kernel=kernel,
            stride=stride,
            groups=groups,
            pad=kernel // 2 if pad is None else pad,
        )
        return self.add(act) if relu else self.last

    def depthwise(self, kernel: int, stride: int, **what: Any) -> str:
        channels = self.shape()[0]
        return self.conv(channels, kernel, stride, groups=channels, **what)

    def pool(self, kernel: int, stride: int, method: str = "max", pad: int = 0) -> str:
        """As Caffe rounds: what is left at the end is a window too."""
        size = self.shape()[1] + 2 * pad
        short = -(size - kernel) % stride
        return self.add(
            "pool",
            method=method,
            kernel=kernel,
            stride=stride,
            pad=[pad, pad, pad + short, pad + short],
        )

    def everywhere(self) -> str:
        return self.pool(self.shape()[1], 1, "average")

    def shape(self) -> tuple[int, int]:
        """(channels, height) of the last value."""
        made = network.steps(self.made())
        shapes = {"data": (self.channels, self.size)} | {
            step.layer.name: step.after[:2] for step in made
        }
        return shapes[self.last]

    def made(self) -> ImportedNetwork:
        shape = {"channels": self.channels, "height": self.size, "width": self.size}
        one = {"name": "none", "type": "relu"}
        return ImportedNetwork.model_validate(
            {
                "version": 1,
                "name": self.name,
                "summary": "published",
                "input": shape,
                "seed": 1,
                "tolerance": {"float32": 1e-4},
                "layers": self.layers or [one],
                "folder": Path(),
                "files": {},
            }
        )


def _classified(drawing: Drawing, classes: int = 1000) -> None:
    drawing.everywhere()
    drawing.add("fc", outputs=classes)
    drawing.add("softmax")


def _fire(drawing: Drawing, squeeze: int, expand: int) -> str:
    before = drawing.conv(squeeze)
    left = drawing.conv(expand)
    drawing.last = before
    right = drawing.conv(expand, 3)
    return drawing.add("concat", [left, right])


def _fires(drawing: Drawing) -> str:
    """Up to the fifth; returns its name."""
    drawing.conv(64, 3, 2, pad=0)
    drawing.pool(3, 2)
    for _ in range(2):
        _fire(drawing, 16, 64)
    drawing.pool(3, 2)
    _fire(drawing, 32, 128)
    return _fire(drawing, 32, 128)


def squeezenet(drawing: Drawing) -> None:
    _fires(drawing)
    drawing.pool(3, 2)
    for squeeze, expand in ((48, 192), (48, 192), (64, 256), (64, 256)):
        _fire(drawing, squeeze, expand)
    drawing.conv(1000, pad=1)
    drawing.everywhere()
    drawing.add("softmax")


def squeezenet_ssd(drawing: Drawing) -> None:
    fifth = _fires(drawing)
    sources = [(drawing.add("relu"), 16, 84)]
    drawing.last = fifth
    drawing.pool(3, 2)
    for squeeze, expand in ((48, 192), (48, 192), (64, 256)):
        _fire(drawing, squeeze, expand)
    for squeeze, expand in ((64, 256), (96, 384), (96, 384)):
        sources.append((_fire(drawing, squeeze, expand), 24, 126))
        if len(sources) < 4:
            drawing.pool(3, 2)
    for squeeze, expand, boxes in ((128, 256, 24), (64, 128, 16)):
        drawing.conv(squeeze)
        sources.append((drawing.conv(expand, 3, 2), boxes, boxes * 21 // 4))
    _heads(drawing, sources, 3)


def _heads(drawing: Drawing, sources: Sequence[tuple[str, int, int]], kernel: int) -> None:
    """Two convolutions on each source: of places, and of classes."""
    flat = []
    for source, *outputs in sources:
        for count in outputs:
            drawing.last = source
            drawing.conv(count, kernel, relu=False)
            drawing.add("shuffle", groups=count)
            flat.append(drawing.add("flatten"))
    drawing.add("concat", flat[::2])
    drawing.add("concat", flat[1::2])
    drawing.add("softmax")


MOBILE = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5)


def _separable(drawing: Drawing, outputs: int, stride: int) -> str:
    drawing.depthwise(3, stride)
    return drawing.conv(outputs)


def _mobile(drawing: Drawing) -> str:
    """Up to the eleventh; returns its name. The last two are added."""
    drawing.conv(32, 3, 2)
    for outputs, stride in MOBILE:
        _separable(drawing, outputs, stride)
    eleventh = drawing.last
    _separable(drawing, 1024, 2)
    _separable(drawing, 1024, 1)
    return eleventh


def mobilenet(drawing: Drawing) -> None:
    _mobile(drawing)
    _classified(drawing)


def mobilenet_ssd(drawing: Drawing) -> None:
    sources = [(_mobile(drawing), 12, 63), (drawing.last, 24, 126)]
    for squeeze, expand in ((256, 512), (128, 256), (128, 256), (64, 128)):
        drawing.conv(squeeze)
        sources.append((drawing.conv(expand, 3, 2), 24, 126))
    _heads(drawing, sources, 1)


def mobilenet_yolo(drawing: Drawing) -> None:
    """As the newer file of that name; in an earlier one the last 3x3 convolutions are whole ones,
    and take three times the multiply-adds."""
    eleventh = _mobile(drawing)
    coarse = _separable(drawing, 1024, 1)
    drawing.add("deconv", outputs=512, kernel=4, stride=2, pad=1, groups=512)
    drawing.add("add", [eleventh, drawing.last])
    _separable(drawing, 1024, 1)
    drawing.conv(125, relu=False)
    drawing.last = coarse
    drawing.conv(125, relu=False)


def _inverted(
    drawing: Drawing,
    outputs: int,
    *,
    hidden: int,
    kernel: int = 3,
    stride: int = 1,
    squeeze: int = 0,
    act: str = "relu",
    expanded: bool = True,
) -> None:
    """Wide in the middle, with a way around where the shapes allow it."""
    before, shape = drawing.last, drawing.shape()
    if expanded:
        drawing.conv(hidden, act=act)
    drawing.depthwise(kernel, stride, act=act, relu=not squeeze)
    if squeeze:
        _weighted(drawing, squeeze, gate="hard-sigmoid")
        drawing.add(act)
    after = drawing.conv(outputs, relu=False)
    if stride == 1 and shape[0] == outputs:
        drawing.add("add", [before, after])


def _weighted(drawing: Drawing, squeeze: int, *, act: str = "relu", gate: str = "sigmoid") -> None:
    """Channels weighted by what a small network says of their averages."""
    before, channels = drawing.last, drawing.shape()[0]
    drawing.everywhere()
    drawing.conv(squeeze, act=act)
    drawing.conv(channels, act=gate)
    drawing.add("mul", [before, drawing.last])


def mobilenet_v2(drawing: Drawing) -> None:
    drawing.conv(32, 3, 2)
    _inverted(drawing, 16, hidden=32)
    stages = ((24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
    for outputs, count, stride in stages:
        for place in range(count):
            hidden = drawing.shape()[0] * 6
            _inverted(drawing, outputs, hidden=hidden, stride=stride if place == 0 else 1)
    drawing.conv(1280)
    _classified(drawing)


V3 = (  # kernel, hidden, outputs, weighted, hard swish, stride
    (3, 16, 16, 0, 0, 1),
    (3, 64, 24, 0, 0, 2),
    (3, 72, 24, 0, 0, 1),
    (5, 72, 40, 1, 0, 2),
    (5, 120, 40, 1, 0, 1),
    (5, 120, 40, 1, 0, 1),
    (3, 240, 80, 0, 1, 2),
    (3, 200, 80, 0, 1, 1),
    (3, 184, 80, 0, 1, 1),
    (3, 184, 80, 0, 1, 1),
    (3, 480, 112, 1, 1, 1),
    (3, 672, 112, 1, 1, 1),
    (5, 672, 160, 1, 1, 1),
    (5, 672, 160, 1, 1, 2),
    (5, 960, 160, 1, 1, 1),
)


def mobilenet_v3(drawing: Drawing) -> None:
    first = drawing.conv(16, 3, 2, relu=False)
    drawing.add("mul", [first, drawing.add("hard-sigmoid")])
    for kernel, hidden, outputs, weighted, swish, stride in V3:
        _inverted(
            drawing,
            outputs,
            hidden=hidden,
            kernel=kernel,
            stride=stride,
            squeeze=hidden // 4 if weighted else 0,
            act="hard-swish" if swish else "relu",
            expanded=hidden != 16,
        )
    drawing.conv(960, act="hard-swish")
    drawing.everywhere()
    drawing.add("hard-swish")
    drawing.add("fc", outputs=1280)
    drawing.add("hard-swish")
    drawing.add("fc", outputs=1000)
    drawing.add("softmax")


PROXYLESS = (  # outputs, then (times wider, kernel, stride) of each block
    (32, ((1.5, 5, 2), (3, 3, 1))),
    (40, ((3, 7, 2), (3, 3, 1), (3, 5, 1), (3, 5, 1))),
    (80, ((6, 7, 2), (3, 5, 1), (3, 5, 1), (3, 5, 1))),
    (96, ((6, 5, 1), (3, 5, 1), (3, 5, 1), (3, 5, 1))),
    (192, ((6, 7, 2), (6, 7, 1), (3, 7, 1), (3, 7, 1))),
    (320, ((6, 7, 1),)),
)


def proxylessnasnet(drawing: Drawing) -> None:
    drawing.conv(32, 3, 2)
    _separable(drawing, 32, 1)
    for outputs, blocks in PROXYLESS:
        for wider, kernel, stride in blocks:
            hidden = int(drawing.shape()[0] * wider)
            _inverted(drawing, outputs, hidden=hidden, kernel=kernel, stride=stride)
    drawing.conv(1280)
    _classified(drawing)


SWISH = "sigmoid"  # stands for it
EFFICIENT = ((24, 2, 3, 2), (40, 2, 5, 2), (80, 3, 3, 2), (112, 3, 5, 1), (192, 4, 5, 2))


def _efficient(drawing: Drawing, outputs: int, hidden: int, kernel: int, stride: int) -> None:
    before, shape = drawing.last, drawing.shape()
    if hidden != shape[0]:
        drawing.conv(hidden, act=SWISH)
    drawing.depthwise(kernel, stride, act=SWISH)
    _weighted(drawing, shape[0] // 4, act=SWISH)
    after = drawing.conv(outputs, relu=False)
    if stride == 1 and shape[0] == outputs:
        drawing.add("add", [before, after])


def efficientnet_b0(drawing: Drawing) -> None:
    drawing.conv(32, 3, 2, act=SWISH)
    _efficient(drawing, 16, 32, 3, 1)
    for outputs, count, kernel, stride in (*EFFICIENT, (320, 1, 3, 1)):
        for place in range(count):
            hidden = drawing.shape()[0] * 6
            _efficient(drawing, outputs, hidden, kernel, stride if place == 0 else 1)
    drawing.conv(1280, act=SWISH)
    _classified(drawing)


def regnety_400m(drawing: Drawing) -> None:
    drawing.conv(32, 3, 2)
    for outputs, count in ((48, 1), (104, 3), (208, 6), (440, 6)):
        for place in range(count):
            before, channels = drawing.last, drawing.shape()[0]
            stride = 2 if place == 0 else 1
            drawing.conv(outputs)
            drawing.conv(outputs, 3, stride, groups=outputs // 8)
            _weighted(drawing, channels // 4)
            after = drawing.conv(outputs, relu=False)
            drawing.last = before
            way = drawing.conv(outputs, 1, 2, relu=False) if place == 0 else before
            drawing.add("add", [way, after])
            drawing.add("relu")
    _classified(drawing)


def shufflenet(drawing: Drawing) -> None:
    drawing.conv(24, 3, 2)
    drawing.pool(3, 2)
    for outputs, count in ((240, 4), (480, 8), (960, 4)):
        for place in range(count):
            _shuffled(drawing, outputs, first=place == 0)
    drawing.everywhere()
    drawing.conv(1000, relu=False)


def _shuffled(drawing: Drawing, outputs: int, *, first: bool) -> None:
    """Convolutions of three groups around a shuffle."""
    way, channels = drawing.last, drawing.shape()[0]
    before = way
    if first:
        way = drawing.pool(3, 2, "average")
        drawing.last = before
    plain, added = channels == 24, outputs - channels if first else outputs
    drawing.conv(added // 4, groups=1 if plain else 3)
    if not plain:
        drawing.add("shuffle", groups=3)
    drawing.depthwise(3, 2 if first else 1, relu=False)
    after = drawing.conv(added, groups=3, relu=False)
    drawing.add("concat" if first else "add", [way, after])
    drawing.add("relu")


def shufflenet_v2(drawing: Drawing) -> None:
    drawing.conv(24, 3, 2)
    drawing.pool(3, 2)
    for half, count in ((58, 4), (116, 8), (232, 4)):
        for place in range(count):
            _halved(drawing, half, first=place == 0)
    drawing.conv(1024)
    _classified(drawing)


def _halved(drawing: Drawing, half: int, *, first: bool) -> None:
    """Half of the channels go through, half around."""
    before = drawing.last
    if first:
        drawing.depthwise(3, 2, relu=False)
        way = drawing.conv(half)
        drawing.last = before
    else:
        way = drawing.add("slice", first=0, channels=half)
        drawing.add("slice", [before], first=half, channels=half)
    drawing.conv(half)
    drawing.depthwise(3, 2 if first else 1, relu=False)
    drawing.conv(half)
    drawing.add("concat", [way, drawing.last])
    drawing.add("shuffle", groups=2)


def resnet18(drawing: Drawing) -> None:
    drawing.conv(64, 7, 2)
    drawing.pool(3, 2)
    for outputs in (64, 128, 256, 512):
        for place in range(2):
            before, channels = drawing.last, drawing.shape()[0]
            stride = 2 if place == 0 and outputs > 64 else 1
            drawing.conv(outputs, 3, stride)
            after = drawing.conv(outputs, 3, relu=False)
            if place == 0 or channels != outputs:
                drawing.last = before
                before = drawing.conv(outputs, 1, stride, relu=False)
            drawing.add("add", [before, after])
            drawing.add("relu")
    _classified(drawing)


def alexnet(drawing: Drawing) -> None:
    drawing.conv(96, 11, 4, pad=0)
    drawing.add("lrn", size=5, alpha=1e-4, beta=0.75, bias=1.0)
    drawing.pool(3, 2)
    drawing.conv(256, 5, groups=2)
    drawing.add("lrn", size=5, alpha=1e-4, beta=0.75, bias=1.0)
    drawing.pool(3, 2)
    drawing.conv(384, 3)
    drawing.conv(384, 3, groups=2)
    drawing.conv(256, 3, groups=2)
    drawing.pool(3, 2)
    for outputs in (4096, 4096):
        drawing.add("fc", outputs=outputs)
        drawing.add("relu")
    drawing.add("fc", outputs=1000)
    drawing.add("softmax")


def vgg16(drawing: Drawing) -> None:
    for outputs, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            drawing.conv(outputs, 3)
        drawing.pool(2, 2)
    for outputs in (4096, 4096):
        drawing.add("fc", outputs=outputs)
        drawing.add("relu")
    drawing.add("fc", outputs=1000)
    drawing.add("softmax")


WRITTEN: dict[str, tuple[Callable[[Drawing], None], int]] = {
    "squeezenet": (squeezenet, 227),
    "squeezenet_ssd": (squeezenet_ssd, 300),
    "mobilenet": (mobilenet, 224),
    "mobilenet_ssd": (mobilenet_ssd, 300),
    "mobilenet_yolo": (mobilenet_yolo, 416),
    "mobilenet_v2": (mobilenet_v2, 224),
    "mobilenet_v3": (mobilenet_v3, 224),
    "proxylessnasnet": (proxylessnasnet, 224),
    "efficientnet_b0": (efficientnet_b0, 224),
    "regnety_400m": (regnety_400m, 224),
    "shufflenet": (shufflenet, 224),
    "shufflenet_v2": (shufflenet_v2, 224),
    "resnet18": (resnet18, 224),
    "alexnet": (alexnet, 227),
    "vgg16": (vgg16, 224),
}


def drawn(name: str) -> ImportedNetwork:
    """One of the networks above, by the name under which its times were published."""
    write, size = WRITTEN[name]
    drawing = Drawing(name, size)
    write(drawing)
    return drawing.made()
