"""Operators that change the form, the order or the size of a value."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from buildmatrix.imported.reading import FLOAT, attributes
from buildmatrix.layers import DepthToSpaceSpec, FlattenSpec, Shape, ShuffleSpec, UpsampleSpec
from buildmatrix.network import INPUT

if TYPE_CHECKING:
    from onnx import NodeProto

    from buildmatrix.imported.reading import Reading


def reformed(reading: Reading, node: NodeProto) -> None:
    """A node that keeps all values in their order."""
    if reading.size(node.input[0]) == reading.size(node.output[0]):
        reading.same(node)
        return
    if node.input[0] in reading.rows:
        reading.same(node)
        if len(reading.size(node.output[0])) == 2:  # all of them in one row: channels of a pixel
            reading.rows.discard(node.output[0])
        return
    if _entered(reading, node):
        return
    size = reading.turned.get(node.input[0])
    if size and size.channels > 1:
        if reading.size(node.output[0]) != (1, prod(size)):
            _parted(reading, node, size)
            return
        reading.values[node.output[0]] = reading.values[node.input[0]]
        reading.turned[node.output[0]] = size
        return
    before, after = size or reading.shape(node.input[0]), reading.shape(node.output[0])
    if before == after:
        (reading.values[node.output[0]],) = reading.read(node, node.input[0], turned=True)
    elif after == Shape(prod(before), 1, 1):
        reading.add(node, FlattenSpec, inputs=reading.read(node, node.input[0]))
    elif before == Shape(prod(before), 1, 1):  # rows out of the channels of one pixel
        reading.same(node)
        reading.rows.add(node.output[0])
    elif node.output[0] == reading.leaving:  # in the file's own order
        reading.add(node, FlattenSpec, inputs=reading.read(node, node.input[0]))
        reading.rows.add(node.output[0])
    else:
        raise reading.lacks(node, f"making {after} of {before}")


def _entered(reading: Reading, node: NodeProto) -> bool:
    """Whether the node makes the image out of what the network is given, a row or a length of
    channels: then the image is what is given."""
    entry, made = node.input[0], node.output[0]
    sizes = reading.size(made)
    if reading.values.get(entry) != INPUT or reading.layers or reading.uses[entry] != 1:
        return False
    if len(sizes) != 4 or len(reading.size(entry)) == 4:
        return False
    if sizes[3] == 1 and all(one.op_type == "Transpose" for one in reading.readers(made)):
        reading.turned[made] = reading.entry = Shape(1, *sizes[1:3])  # as TensorFlow has them
    else:
        reading.entry = reading.shape(made)
    reading.values[made] = INPUT
    return True


def _parted(reading: Reading, node: NodeProto, size: Shape) -> None:
    """A value whose channels come last, in a form that is no image's: the rows that a detector's
    head makes of each pixel. Its values follow each other as they do in the file: flattened, they
    are one group for each channel, of which the first of each comes first."""
    (name,) = reading.read(node, node.input[0], turned=True)
    name = reading.add(node, FlattenSpec, inputs=(name,))
    if size.channels > 1 and prod(size) > size.channels:
        reading.add(node, ShuffleSpec, inputs=(name,), groups=size.channels)
    reading.rows.add(node.output[0])


def cast(reading: Reading, node: NodeProto) -> None:
    if attributes(node)["to"] != FLOAT:
        raise reading.lacks(node, "another number format")
    reading.same(node)


def transpose(reading: Reading, node: NodeProto) -> None:
    sizes = reading.size(node.input[0])
    order = attributes(node).get("perm") or list(reversed(range(len(sizes))))
    large = [axis for axis in order if sizes[axis] > 1]
    if node.input[0] in reading.rows and sorted(large, reverse=True) == large and len(large) == 2:
        reading.same(node)  # what is in rows is one pixel's channels: groups of them change places
        inputs = (reading.values[node.output[0]],)
        reading.add(node, ShuffleSpec, inputs=inputs, groups=sizes[large[1]])
        return
    last = order == [0, 2, 3, 1] and node.input[0] not in reading.turned
    if large != sorted(large) or (last and reading.size(node.input[0])[1] > 1):
        _turn(reading, node, list(order))
        return
    reformed(reading, node)


def _turn(reading: Reading, node: NodeProto, order: list[int]) -> None:
    """Channels put last, which a fully connected layer can take up, or first again: the first of
    all that TensorFlow's networks do."""
    (source,) = reading.read(node, node.input[0], turned=True)
    size = reading.turned.get(node.input[0])
    if order == [0, 3, 1, 2] and size:
        reading.values[node.output[0]] = source
    elif order == [0, 2, 3, 1] and not size:
        reading.values[node.output[0]] = source
        reading.turned[node.output[0]] = reading.shape(node.input[0])
    else:
        raise reading.lacks(node, "another order of values")


def shuffle(reading: Reading, node: NodeProto) -> None:
    """What `patterns` found: channels of equal groups, taken in turn. `flat` says that they are
    those of the flattened value."""
    how, inputs = attributes(node), reading.read(node, node.input[0])
    before, after = reading.shape(node.input[0]), reading.shape(node.output[0])
    if how["flat"] and after == Shape(prod(before), 1, 1) != before:
        inputs = (reading.add(node, FlattenSpec, inputs=inputs),)
    elif before != after or (how["flat"] and prod(after) != after.channels):
        raise reading.lacks(node, "another order of values")
    if how["groups"] in (1, after.channels):  # of one group, or of single channels: nothing
        (reading.values[node.output[0]],) = inputs
        return
    reading.add(node, ShuffleSpec, inputs=inputs, groups=how["groups"])


def depth_to_space(reading: Reading, node: NodeProto) -> None:
    """Of groups of channels, or (CRD, PyTorch's PixelShuffle) of neighbours, which a shuffle makes
    groups of."""
    how, inputs = attributes(node), reading.read(node, node.input[0])
    if how.get("mode", b"DCR") == b"CRD":
        groups = reading.shape(node.output[0]).channels
        inputs = (reading.add(node, ShuffleSpec, inputs=inputs, groups=groups),)
    reading.add(node, DepthToSpaceSpec, inputs=inputs, block=how["blocksize"])


HALVES = (b"half_pixel", b"pytorch_half_pixel")  # they differ where a size of 1 is made


def resize(reading: Reading, node: NodeProto) -> None:
    how = attributes(node)
    before, after = reading.shape(node.input[0]), reading.shape(node.output[0])
    factor = after.height // before.height
    whole = after[1:] == (before.height * factor, before.width * factor)
    where = how.get("coordinate_transformation_mode", b"half_pixel")
    rounding = how.get("nearest_mode", b"round_prefer_floor")
    halves = where in HALVES and rounding.startswith(b"round")
    corner = where == b"asymmetric" and rounding == b"floor"
    mode = how.get("mode", b"nearest").decode()
    if mode == "linear":
        known = where in HALVES and node.op_type == "Resize"
    else:
        known = mode == "nearest" and (halves or corner or node.op_type == "Upsample")
    if not (known and whole):
        raise reading.lacks(node, "a resizing other than by a whole number, between middles,")
    inputs = reading.read(node, node.input[0])
    reading.add(node, UpsampleSpec, inputs=inputs, factor=factor, mode=mode)
