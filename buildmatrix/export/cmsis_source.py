"""The C source of a chain of layers: CMSIS-NN's functions, called one after the other. Pure."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.export.cmsis_places import column as wanted_column
from buildmatrix.export.cmsis_places import function
from buildmatrix.layers import ConvSpec, FcSpec, PoolSpec, SoftmaxSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.export.cmsis_places import Place, Placed
    from buildmatrix.export.q7 import Q7Layer
    from buildmatrix.export.quantize import I8

A_LINE = 24  # numbers
AT_ONCE = 65532  # values of one call of arm_relu_q7, which counts them in 16 bits; by fours

# Of four rows and four columns, which row and which column comes next in the weights of
# arm_fully_connected_q7_opt: the order in which SXTB16 takes bytes apart (its documentation).
ROWS = (0, 1, 0, 1, 2, 3, 2, 3, 0, 1, 0, 1, 2, 3, 2, 3)
COLUMNS = (0, 0, 2, 2, 0, 0, 2, 2, 1, 1, 3, 3, 1, 1, 3, 3)


def header(name: str, layers: tuple[Q7Layer, ...], where: Placed) -> str:
    """net.h: sizes in bytes, the buffers that are filled and read outside, and the pass."""
    sizes = where.buffers
    told = ", ".join(f"{buffer} {size}" for buffer, size in sizes._asdict().items())
    return f"""\
/* {name}, in numbers of 8 bits. Bytes: {told}. */
#include <stdint.h>

#define NET_INPUT_BYTES {prod(layers[0].step.before)}
#define NET_OUTPUT_BYTES {prod(layers[-1].step.after)}

extern int8_t net_input[{sizes.input}];
extern int8_t net_output[{sizes.output}];

/* A forward pass, which may destroy its input. 0, or the number of the call that was refused. */
int net_run(void);
"""


def source(name: str, layers: tuple[Q7Layer, ...], where: Placed) -> str:
    """net.c: weights, buffers and calls."""
    sizes = where.buffers
    lines = [
        f"/* {name}: channels last, weights and biases shifted as CMSIS-NN's q7 functions ask. */",
        *('#include "arm_nnfunctions.h"', '#include "net.h"', "#include <string.h>", ""),
        "#define ALIGNED __attribute__((aligned(4)))",
        f"ALIGNED q7_t net_input[{sizes.input}];",
        f"ALIGNED q7_t net_output[{sizes.output}];",
        *(f"ALIGNED static q7_t scratch[{size}];" for size in (sizes.scratch,) if size),
        *(f"ALIGNED static q7_t column[{size}];" for size in (sizes.column,) if size),
        "",
        *_constants(layers),
        "int net_run(void) {",
    ]
    if where.reads[0].buffer == "output":  # nothing moves values
        lines.append("  memcpy(net_output, net_input, NET_OUTPUT_BYTES);")
    for number, one in enumerate(layers):
        lines += _calls(number, one, where.reads[number], where.writes[number])
    return "\n".join([*lines, "  return 0;", "}", ""])


def _constants(layers: tuple[Q7Layer, ...]) -> Iterator[str]:
    for number, one in enumerate(layers):
        if one.weight is not None and one.bias is not None:
            yield from _array(f"weight_{number}", ordered(one))
            yield from _array(f"bias_{number}", one.bias)


def _array(name: str, values: I8) -> Iterator[str]:
    flat = values.ravel().tolist()
    yield f"static const q7_t {name}[{len(flat)}] ALIGNED = {{"
    for at in range(0, len(flat), A_LINE):
        yield ",".join(map(str, flat[at : at + A_LINE])) + ","
    yield "};"


def ordered(one: Q7Layer) -> I8:
    """A layer's weights in the order in which its function reads them: channels last."""
    assert one.weight is not None
    if isinstance(one.step.layer, ConvSpec):
        return one.weight.transpose(0, 2, 3, 1)
    rows = one.weight.reshape(-1, *one.step.before).transpose(0, 2, 3, 1)
    flat = rows.reshape(len(one.weight), -1)
    return interleaved(flat) if function(one.step).endswith("_opt") else flat


def interleaved(matrix: I8) -> I8:
    """Rows by fours, columns by fours within them, as arm_fully_connected_q7_opt reads them; the
    columns that are left over of four rows stand row by row in each, rows left over as they are."""
    high, wide = (size // 4 * 4 for size in matrix.shape)
    parts = []
    for row in range(0, high, 4):
        four = matrix[row : row + 4]
        blocks = four[:, :wide].reshape(4, -1, 4)
        parts += [blocks[ROWS, :, COLUMNS].T.ravel(), four[:, wide:].T.ravel()]
    return np.concatenate([*parts, matrix[high:].ravel()])


def _calls(number: int, one: Q7Layer, reads: Place, writes: Place) -> Iterator[str]:
    step = one.step
    layer, before, after, called = step.layer, step.before, step.after, function(step)
    here, there = _at(reads), _at(writes)
    weight, bias, shifts = f"weight_{number}", f"bias_{number}", (one.bias_shift, one.out_shift)
    words: tuple[object, ...]
    yield f"  /* {layer.name}: {before} to {after}, {one.decimals} decimals */"
    match layer:
        case ConvSpec(outputs=outputs, window=window):
            words = (here, before.width, before.channels, weight, outputs, window.kernel[0])
            words += (window.pads[0], window.stride[0], bias, *shifts, there, after.width)
            yield f"  if ({called}({_listed(words)}, (q15_t *)column, NULL)) return {number + 1};"
        case FcSpec(outputs=outputs):
            words = (here, weight, prod(before), outputs, *shifts, bias, there)
            yield f"  if ({called}({_listed(words)}, (q15_t *)column)) return {number + 1};"
        case PoolSpec(window=window):
            own = wanted_column(step)
            words = (here, before.width, before.channels, window.kernel[0], window.pads[0])
            words += (window.stride[0], after.width, "column" if own else "NULL", there)
            yield f"  {called}({_listed(words)});"
        case SoftmaxSpec():
            yield f"  {called}({here}, {prod(after)}, {there});"
        case _:
            for at in range(0, prod(after), AT_ONCE):
                yield f"  {called}({here} + {at}, {min(AT_ONCE, prod(after) - at)});"


def _at(place: Place) -> str:
    if place.buffer == "scratch":
        return f"scratch + {place.offset}"
    return f"net_{place.buffer}"


def _listed(arguments: tuple[object, ...]) -> str:
    return ", ".join(map(str, arguments))
