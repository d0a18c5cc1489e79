"""What is known while the operators of a TensorFlow Lite file become nodes of ONNX.

The file's images have their channels last; those of the nodes have them first. `orders` says of a
value which axis of the node's value each axis of the file's is, so that only what needs the file's
own order turns it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper, numpy_helper
from tflite import ActivationFunctionType

from buildmatrix.errors import InputError
from buildmatrix.imported.lite_graph import NONE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from onnx import NodeProto, TensorProto

    from buildmatrix.imported.lite_graph import Operation, Room, Value

IMAGE = (0, 2, 3, 1)  # the axes of an image, channels first, in the order of the file
TO_FIRST = (0, 3, 1, 2)


@dataclass
class Net:
    """Nodes so far. `names` and `orders`: by the number of a value that is not a constant."""

    where: str
    values: Sequence[Value]
    room: Room  # for constants
    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    orders: dict[int, tuple[int, ...]] = field(default_factory=dict)
    known: dict[int, NDArray[Any]] = field(default_factory=dict)  # constants that operators make

    def fault(self, brief: str, *, hint: str = "") -> InputError:
        return InputError(brief, where=self.where, hint=hint)

    def lacks(self, one: Operation, what: str) -> InputError:
        return self.fault(f"{what} of operator {one.kind} '{one.name}' is not read")

    def quantized(self, one: Operation) -> InputError:
        return self.fault(
            f"it is quantized (operator {one.kind} '{one.name}'), and only files of floats are read"
        )

    def has(self, one: Operation, place: int) -> bool:
        """Whether an operator has an input there."""
        return place < len(one.inputs) and one.inputs[place] != NONE

    def constant(self, one: Operation, place: int) -> NDArray[Any] | None:
        """The numbers of an input; None for what is computed."""
        number = one.inputs[place]
        return self.known.get(number, self.values[number].content)

    def weights(self, one: Operation, place: int, what: str = "a weight") -> NDArray[Any]:
        """The same of what has to be a constant of floats."""
        found = self.constant(one, place) if self.has(one, place) else None
        if found is None:
            raise self.lacks(one, f"{what} that is computed")
        if not np.issubdtype(found.dtype, np.floating):
            raise self.quantized(one)
        return found.astype(np.float32)

    def numbers(self, one: Operation, place: int) -> list[int]:
        """Whole numbers that say how: sizes, axes, places."""
        found = self.constant(one, place) if self.has(one, place) else None
        if found is None:
            raise self.lacks(one, "a size that is computed")
        return [int(number) for number in found.ravel()]

    def rank(self, number: int) -> int:
        return len(self.values[number].sizes)

    def axis(self, number: int, axis: int) -> int:
        """Which axis of the node's value an axis of the file's is."""
        order = self.orders.get(number, tuple(range(self.rank(number))))
        return order[axis % len(order)]

    def first_axis(self, number: int, axis: int) -> int:
        """The same of a value that is read channels first."""
        rank = self.rank(number)
        return IMAGE[axis % rank] if rank == len(IMAGE) else axis % rank

    def image(self, one: Operation, place: int = 0) -> str:
        """The name of an input, which has to be an image; its channels come first."""
        rank = self.rank(one.inputs[place])
        if rank != len(IMAGE):
            raise self.lacks(one, f"a value of {rank} axes")
        return self.read(one, place)

    def read(self, one: Operation, place: int = 0) -> str:
        """The name of an input, channels first where it is an image."""
        self.named(one, place)
        return self.first(one.inputs[place])

    def named(self, one: Operation, place: int = 0) -> str:
        """The name of an input, whatever the order of its axes."""
        if one.inputs[place] not in self.names:
            raise self.lacks(one, "a constant input")
        return self.names[one.inputs[place]]

    def first(self, number: int) -> str:
        """The name of a value, channels first where it is an image."""
        name, order = self.names[number], self.orders[number]
        if len(order) != len(IMAGE) or order == IMAGE:
            return name
        return self._turned(name, tuple(order[axis] for axis in TO_FIRST))

    def plain(self, one: Operation) -> str:
        """The name of the first input in the file's own order of values."""
        name, number = self.named(one), one.inputs[0]
        order, sizes = self.orders[number], self.values[number].sizes
        large = [axis for axis, size in zip(order, sizes, strict=True) if size != 1]
        return name if large == sorted(large) else self._turned(name, order)

    def _turned(self, name: str, order: Sequence[int]) -> str:
        made = f"{name}/turned{len(self.nodes)}"
        self.nodes.append(helper.make_node("Transpose", [name], [made], name=made, perm=order))
        return made

    def number(self, one: Operation, what: str, values: Any) -> str:
        """The name of a constant that a node of the operator reads."""
        name = f"{one.name}/{what}{len(self.constants)}"
        array = np.asarray(values)
        self.room.take(array.nbytes)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def broadcast(self, one: Operation, place: int, rank: int) -> str:
        """An input, computed or not, of a node that makes a value of so many axes."""
        if one.inputs[place] in self.names:
            if self.rank(one.inputs[place]) != rank:
                raise self.lacks(one, "values of different forms")
            return self.read(one, place)
        values = self.weights(one, place)
        values = values.reshape((1,) * (rank - values.ndim) + values.shape)
        values = values.transpose(TO_FIRST) if rank == len(IMAGE) else values
        return self.number(one, "given", values)

    def node(self, one: Operation, kind: str, inputs: Sequence[str], **how: Any) -> str:
        """A node on the way to what the operator makes; the name of its value."""
        made = f"{one.name}:{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [made], name=made, **how))
        return made

    def put(
        self,
        one: Operation,
        kind: str,
        inputs: Sequence[str],
        *,
        top: int = 0,
        act: int = ActivationFunctionType.NONE,
        **how: Any,
    ) -> None:
        """The node that makes one of the operator's outputs, and the activation behind it."""
        number = one.outputs[top]
        made = self.values[number].name or f"value {number}"
        first = made if act == ActivationFunctionType.NONE else f"{made}/linear"
        self.nodes.append(helper.make_node(kind, inputs, [first], name=self._called(one), **how))
        if act != ActivationFunctionType.NONE:
            if act not in ACTIVATIONS:
                raise self.lacks(one, f"the activation {NAMES.get(act, act)} in the options")
            kind, *bounds = ACTIVATIONS[act](self, one)
            node = helper.make_node(kind, [first, *bounds], [made], name=f"{one.name}/act")
            self.nodes.append(node)
        self.made(number, made)

    def made(self, number: int, name: str, order: tuple[int, ...] = ()) -> None:
        """A value has this name; channels first where it is an image, or in the order given."""
        rank = self.rank(number)
        self.names[number] = name
        self.orders[number] = order or (IMAGE if rank == len(IMAGE) else tuple(range(rank)))

    def _called(self, one: Operation) -> str:
        known = {node.name for node in self.nodes[-LOOKED_BACK:]}
        return one.name if one.name not in known else f"{one.name}:{len(self.nodes)}"


NAMES = {n: name for name, n in vars(ActivationFunctionType).items() if name.isupper()}
LOOKED_BACK = 8  # nodes: those of one operator


def clipped(low: float, high: float) -> Callable[[Net, Operation], tuple[str, ...]]:
    """Clip with its two constants."""

    def one(net: Net, operation: Operation) -> tuple[str, ...]:
        bounds = (np.float32(low), np.float32(high))
        return ("Clip", *(net.number(operation, "bound", bound) for bound in bounds))

    return one


# Not TANH and SIGN_BIT: LiteRT 2.3 leaves them out, or refuses the file.
ACTIVATIONS: dict[int, Callable[[Net, Operation], tuple[str, ...]]] = {
    ActivationFunctionType.RELU: lambda *_: ("Relu",),
    ActivationFunctionType.RELU6: clipped(0, 6),
    ActivationFunctionType.RELU_N1_TO_1: clipped(-1, 1),
}
